from __future__ import annotations

import dataclasses

from tests.data import speckle_frames as made

from bustle.data.relations.leak_groups import (
    conflicting_groups,
    find_leak_groups,
    leak_groups,
    patient_groups,
    video_groups,
)


def cases_of(*patients: str | None):
    return [made.memory_case(str(index), patient=patient) for index, patient in enumerate(patients)]


def test_patients_and_copies_join_through_each_other() -> None:
    """0 and 1 share a patient, 1 and 2 a frame, 2 and 3 a patient: all four leak into each other."""
    cases = cases_of("a", "a", "b", "b", "c", None)
    groups = leak_groups(cases, duplicate_groups=[("made/1", "made/2")])
    assert groups == {
        "made/0": "made/0",
        "made/1": "made/0",
        "made/2": "made/0",
        "made/3": "made/0",
        "made/4": "made/4",
        "made/5": "made/5",
    }


def test_the_same_patient_id_of_two_sources_means_two_people() -> None:
    cases = [made.memory_case("1", patient="7", source="here"), made.memory_case("1", patient="7", source="there")]
    assert len(set(patient_groups(cases).values())) == 2


def test_only_frames_of_one_video_of_one_source_share_a_file() -> None:
    cases = [made.memory_case(str(number), patient="a") for number in range(4)]
    cases += [made.memory_case("4", patient="a", source="other")]
    videos = ["v", "v", "w", None, "v"]
    cases = [dataclasses.replace(case, video=video) for case, video in zip(cases, videos, strict=True)]
    assert list(video_groups(cases).values()) == ["made/0", "made/0", "made/2", "made/3", "other/4"]


def test_copies_join_sources_and_unknown_members_are_passed_over() -> None:
    cases = [made.memory_case("1", source="here"), made.memory_case("2", source="there")]
    groups = leak_groups(cases, duplicate_groups=[("here/1", "gone/9", "there/2")])
    assert groups == {"here/1": "here/1", "there/2": "here/1"}


def test_only_different_known_classes_conflict() -> None:
    cases = [
        made.memory_case("0", label="benign"),
        made.memory_case("1", label="malignant"),
        made.memory_case("2", label=None),
        made.memory_case("3", label="benign"),
    ]
    agreeing = ("made/0", "made/2", "made/3")
    conflicting = ("made/1", "made/2", "made/3")
    assert conflicting_groups(cases, [agreeing, conflicting]) == (conflicting,)


def test_the_frames_themselves_are_looked_at() -> None:
    image = made.frame(1, 1)
    cases = [
        made.memory_case("0", image, patient="a"),
        made.memory_case("1", made.frame(2, 2), patient="b"),
        made.memory_case("2", made.crop(image), patient="b"),
        made.memory_case("3", made.frame(3, 3), patient="c"),
    ]
    groups = find_leak_groups(cases)
    assert groups == {"made/0": "made/0", "made/1": "made/0", "made/2": "made/0", "made/3": "made/3"}
