"""One answer per lesion, clip, side and study, from frames whose right answers are known."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from tests.reading.made_frames import frame, lesion

from bustle.core.config import from_mapping, to_mapping
from bustle.reading.clip import Place
from bustle.reading.clip_answer import ClipAnswer, answer_clip
from bustle.reading.frame_record import FrameRecord
from bustle.reading.study_answer import PartAnswer, answer_study
from bustle.reading.summary import studies_of
from bustle.reading.told import told_of_study
from bustle.reading.verdict import Opinion, Verdict, verdict_of


def clip(*records: FrameRecord) -> ClipAnswer:
    return answer_clip(records, name="a", unit="px")


def along(*malignant: float) -> ClipAnswer:
    """One lesion in every frame."""
    return clip(*(frame(number, value, lesion()) for number, value in enumerate(malignant, start=1)))


def word(answer: ClipAnswer) -> str | None:
    return None if answer.verdict is None else answer.verdict.decision


def test_the_median_frame_speaks_and_the_maximum_is_told():
    answer = along(0.1, 0.2, 0.15, 0.9, 0.12, 0.05, 0.11)
    (found,) = answer.lesions
    assert found.verdict is not None
    assert (found.verdict.malignant_median, found.verdict.malignant_maximum) == (0.12, 0.9)
    assert (found.verdict.frame, found.verdict.frames, word(answer)) == (5, 7, "benign")
    assert answer.decided_by == 1


def test_of_an_even_number_of_frames_the_one_nearer_to_malignant_speaks():
    assert along(0.1, 0.8).verdict.malignant_median == 0.8


def test_a_fifth_of_malignant_frames_is_referred():
    assert word(along(*[0.1] * 9, 0.9)) == "benign"
    answer = along(*[0.1] * 8, 0.9, 0.9)
    assert word(answer) == "refer"
    assert answer.verdict.changed_by == "malignant frames"
    assert answer.verdict.possible == ("benign", "malignant")
    assert answer.verdict.malignant_median == 0.1


def test_a_lesion_of_few_frames_is_only_possible():
    empty = [frame(number, 0.0, normal=0.9) for number in range(3, 9)]
    answer = clip(frame(1, 0.9, lesion()), frame(2, 0.9, lesion()), *empty)
    assert word(answer) == "lesion possible"
    assert answer.verdict.possible == ("malignant", "normal")
    ruleless = Opinion(frame=1, decision="benign", probabilities={"benign": 0.9, "malignant": 0.1}, possible=())
    verdict = verdict_of([ruleless], seen=1, clip_frames=9)
    assert verdict is not None
    assert (verdict.decision, verdict.possible) == ("lesion possible", ())
    still = clip(frame(1, 0.9, lesion()))
    assert word(still) == "malignant"


def test_what_few_frames_show_does_not_outdo_a_lesion_that_stays():
    benign, flicker = lesion(80), lesion(40, left=60)
    frames = [frame(number, 0.1, benign) for number in range(1, 9)]
    frames[3] = frame(4, 0.9, flicker)
    answer = clip(*frames)
    assert [found.verdict.decision for found in answer.lesions] == ["benign", "lesion possible"]
    assert (word(answer), answer.decided_by) == ("benign", 1)


def test_the_most_urgent_lesion_decides_the_clip():
    benign, malignant = lesion(80), lesion(40, left=60)
    first = [frame(number, 0.1, benign) for number in range(1, 5)]
    second = [frame(number, 0.9, malignant) for number in range(5, 9)]
    answer = clip(*first, *second)
    assert [found.verdict.decision for found in answer.lesions] == ["benign", "malignant"]
    assert (word(answer), answer.decided_by) == ("malignant", 2)


def test_a_lesion_is_asked_about_where_it_is_the_largest():
    large, small = lesion(80), lesion(40, left=60)
    together = [frame(number, 0.9, large, small) for number in range(1, 6)]
    alone = [frame(number, 0.1, small) for number in range(6, 8)]
    of_large, of_small = clip(*together, *alone).lesions
    assert (of_large.verdict.decision, of_small.verdict.decision) == ("malignant", "benign")
    assert (of_small.verdict.frames, len(of_small.sightings), of_small.verdict_shared) == (2, 7, False)
    assert clip(*together).lesions[1].verdict_shared


def test_the_best_frame_is_the_largest_that_is_whole():
    cut_off = lesion(90, left=0, at_edge=True)
    answer = clip(frame(1, 0.1, cut_off), frame(2, 0.1, lesion(60, left=2)), frame(3, 0.1, lesion(50, left=2)))
    (found,) = answer.lesions
    assert (found.best.frame, found.best.area) == (2, 60)
    assert found.best.why == "its largest outline that is not cut off by the edge"
    assert (found.median_area, found.maximum_area) == (60, 90)
    assert [sighting.area for sighting in found.sightings] == [90, 60, 50]
    assert "cuts it off in every frame" in clip(frame(1, 0.1, cut_off)).lesions[0].best.why


def test_clips_without_lesions():
    empty = frame(1, 0.02, normal=0.9)
    assert word(clip(empty, frame(2, None), dataclasses.replace(empty, frame=3))) == "no lesion"
    other = clip(frame(1, None), frame(2, None), dataclasses.replace(empty, frame=3))
    assert (word(other), other.other_frames, other.verdict.malignant_median) == ("no breast ultrasound", 2, None)
    unread = clip(FrameRecord(frame=1, problem="is damaged"))
    assert (unread.verdict, unread.unread[0].problem) == (None, "is damaged")


def test_a_model_without_classes_follows_lesions_and_says_nothing():
    records = [FrameRecord(frame=number, lesions=(lesion(),)) for number in range(3)]
    answer = clip(*records)
    assert answer.verdict is None
    assert [found.verdict for found in answer.lesions] == [None]
    assert len(answer.lesions[0].sightings) == 3


def test_no_answer_contradicts_itself():
    rng = random.Random(0)
    for _ in range(300):
        records = []
        for number in range(rng.randint(1, 12)):
            kind = rng.random()
            if kind < 0.15:
                records.append(frame(number, None))
            elif kind < 0.4:
                records.append(frame(number, 0.05, normal=0.9))
            else:
                lesions = [lesion(10 * rng.randint(2, 9), left=rng.choice([10, 60]))][: rng.randint(0, 1) + 1]
                records.append(frame(number, round(rng.random(), 3), *lesions))
        answer = clip(*records)  # Verdict and ClipAnswer refuse what does not agree
        for found in answer.lesions:
            assert found.verdict.urgency <= answer.verdict.urgency
            assert set(found.verdict.possible)
        again = from_mapping(ClipAnswer, json.loads(json.dumps(to_mapping(answer))), where="clip")
        assert again == answer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"decision": "malignant"}, "benign possible"),
        ({"malignant_median": 0.05}, "frame that speaks"),
        ({"malignant_maximum": 0.05}, "between 0 and the maximum"),
        ({"decision": "refer"}, "refer is decided, and benign possible"),
        ({"decision": "lesion possible"}, "benign possible"),
        ({"decision": "bening"}, "benign possible"),
        ({"decision": "no breast ultrasound"}, "nothing can be said"),
    ],
)
def test_a_contradiction_is_refused(changes: dict, said: str):
    verdict = verdict_of([Opinion.of(frame(1, 0.1, lesion()))])
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(verdict, **changes)


def part(name: str, malignant: float, side: str | None, *, lesions: int = 1) -> PartAnswer:
    verdict: Verdict = along(malignant).verdict
    return PartAnswer(name=name, side=side, frames=1, lesions=lesions, decided_by=1, verdict=verdict)  # type: ignore[arg-type]


def test_a_lesion_of_several_clips_is_counted_by_where_it_is_seen():
    """Two clips and an image of one breast may show one lesion: there is no sum of theirs."""
    parts = [part("a", 0.9, "left"), part("b", 0.9, "left", lesions=2), part("c", 0.1, "left", lesions=0)]
    study = answer_study([*parts, part("d", 0.1, "right")], study="1.2", patient=None)
    assert [(side.side, side.parts, side.seen_in, side.answer.said_by) for side in study.sides] == [
        ("left", 3, 2, 2),
        ("right", 1, 1, 1),
    ]
    sides = "left: malignant, a lesion in 2 of 3; right: benign, a lesion in 1 of 1"
    assert told_of_study(study) == f"study 1.2: malignant, as 2 of 4 say ({sides})"


def test_a_file_that_does_not_say_whose_it_is_belongs_to_its_study():
    whose = [("1.2", "p"), ("1.2", None), ("1.3", "p"), ("1.3", "q"), ("1.3", None), (None, None)]
    placed = [
        (Place(study=study, patient=patient), part(str(number), 0.1, None))
        for number, (study, patient) in enumerate(whose)
    ]
    found = [(each.study, each.patient, [own.name for own in each.parts]) for each in studies_of(placed)]
    assert found == [
        ("1.2", "p", ["0", "1"]),
        ("1.3", "p", ["2"]),
        ("1.3", "q", ["3"]),
        ("1.3", None, ["4"]),
        (None, None, ["5"]),
    ]


def test_a_study_and_its_sides():
    parts = [part("a", 0.1, "left"), part("b", 0.9, "right"), part("c", 0.5, "left"), part("d", 0.1, None)]
    study = answer_study(parts, study="1.2", patient="p")
    assert (study.answer.part, study.answer.verdict.decision, study.answer.lesion) == ("b", "malignant", 1)
    said = [(side.side, side.parts, side.answer.part, side.answer.verdict.decision) for side in study.sides]
    assert said == [("left", 2, "c", "refer"), ("right", 1, "b", "malignant"), (None, 1, "d", "benign")]
    with pytest.raises(ValueError, match="most urgent part"):
        dataclasses.replace(study, answer=study.sides[0].answer)
    assert answer_study([], study=None, patient=None).answer is None
