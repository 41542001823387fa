"""An answer that contradicts itself cannot be made, nor read from a file."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bustle.core.answer import Answer, Decision
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError

Probabilities = Mapping[str, float]


def by_class(benign: float, malignant: float, normal: float) -> Probabilities:
    return {"benign": benign, "malignant": malignant, "normal": normal}


SOUND: list[tuple[Decision, Probabilities, tuple[str, ...]]] = [
    ("benign", by_class(0.3, 0.25, 0.45), ("benign",)),
    ("malignant", by_class(0.1, 0.9, 0.0), ("malignant",)),
    ("refer", by_class(0.5, 0.4, 0.1), ("benign", "malignant")),
    ("refer", {"benign": 0.5, "malignant": 0.5}, ("benign", "malignant")),
    ("lesion possible", by_class(0.5, 0.1, 0.4), ("benign", "normal")),
    ("lesion possible", by_class(0.1, 0.5, 0.4), ("malignant", "normal")),
    ("lesion possible", by_class(0.2, 0.2, 0.6), ("benign", "malignant", "normal")),
    ("no lesion", by_class(0.2, 0.2, 0.6), ("normal",)),
    ("no breast ultrasound", {}, ()),
]


@pytest.mark.parametrize(("decision", "probabilities", "possible"), SOUND)
def test_a_sound_answer_is_read_as_it_was_written(decision: Decision, probabilities: Probabilities, possible):
    answer = Answer(decision=decision, probabilities=probabilities, possible=possible)
    written = to_mapping(answer)
    assert written["suspected"] is (decision == "lesion possible")
    assert from_mapping(Answer, written, where="answer") == answer
    del written["suspected"]  # as older files have it
    assert from_mapping(Answer, written, where="answer") == answer


def test_a_flag_that_contradicts_the_decision_is_refused():
    for decision, probabilities, possible in SOUND:
        with pytest.raises(ValueError, match="suspected is"):
            Answer(
                decision=decision,
                probabilities=probabilities,
                possible=possible,
                suspected=decision != "lesion possible",
            )


def test_what_is_left_open_is_said():
    said = [Answer(decision=word, probabilities=values, possible=left).left_open for word, values, left in SOUND]
    assert said == [
        "",
        "",
        "could be benign or malignant",
        "could be benign or malignant",
        "could be benign or normal",
        "could be malignant or normal",
        "could be benign, malignant or normal",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("decision", "probabilities", "possible", "said"),
    [
        ("no lesion", by_class(0.0, 1.0, 0.0), ("malignant",), "'no lesion' is decided, and possible is: malignant"),
        ("no lesion", by_class(0.0, 1.0, 0.0), ("normal",), "'no lesion' is decided, and malignant is more probable"),
        ("benign", by_class(0.4, 0.6, 0.0), ("benign",), "'benign' is decided, and malignant is more probable"),
        ("malignant", by_class(0.1, 0.9, 0.0), ("benign", "malignant"), "possible is: benign, malignant"),
        ("refer", by_class(0.1, 0.9, 0.0), ("malignant",), "'refer' is decided, and possible is: malignant"),
        ("lesion possible", by_class(0.1, 0.9, 0.0), ("malignant",), "possible is: malignant"),
        ("lesion possible", by_class(0.1, 0.1, 0.8), ("normal",), "possible is: normal"),
        ("benign", by_class(1.0, 0.0, 0.0), (), "possible is: nothing"),
        ("no breast ultrasound", by_class(1.0, 0.0, 0.0), ("benign",), "possible is: benign"),
        ("no breast ultrasound", by_class(1.0, 0.0, 0.0), (), "has no probabilities"),
        ("benign", {"malignant": 1.0}, ("benign",), "some of the classes"),
        ("benign", {"benign": 1.5}, ("benign",), "between 0 and 1"),
    ],
)
def test_an_answer_that_contradicts_itself_is_refused(
    decision: Decision, probabilities: Probabilities, possible, said
):
    content = {"decision": decision, "probabilities": dict(probabilities), "possible": list(possible)}
    with pytest.raises(InputError, match=said):
        from_mapping(Answer, content, where="answer")
