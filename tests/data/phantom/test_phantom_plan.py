"""Who is imaged and what they have, known without a pixel."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from bustle.core.errors import InputError
from bustle.data.phantom.plan import LESION_CLASS, plan_case


def test_mix_of_classes_and_frames() -> None:
    plans = [plan_case(index, seed=4) for index in range(4000)]
    frames = defaultdict(list)
    label = {}
    for plan in plans:
        frames[plan.patient_id].append(plan.frame)
        assert label.setdefault(plan.patient_id, plan.patient.label) == plan.patient.label
    assert len(frames) == 1600
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in frames.values())
    assert Counter(len(numbers) for numbers in frames.values()) == {1: 400, 2: 400, 3: 400, 4: 400}
    share = Counter(label.values())
    assert share["normal"] == 400
    assert share["benign"] / 1600 == pytest.approx(0.45, abs=0.02)
    assert share["malignant"] / 1600 == pytest.approx(0.30, abs=0.02)
    assert len({plan.stem for plan in plans}) == len(plans)


def test_ten_consecutive_cases_hold_every_class() -> None:
    for start in range(0, 100, 10):
        labels = {plan_case(index, seed=1).patient.label for index in range(start, start + 10)}
        assert labels == {"benign", "malignant", "normal"}


def test_lesions_agree_with_the_class_of_the_case() -> None:
    two = 0
    for index in range(600):
        patient = plan_case(index, seed=0).patient
        kinds = patient.lesion_kinds
        assert (patient.label == "normal") == (not kinds)
        if kinds:
            assert LESION_CLASS[kinds[0]] == patient.label
        if patient.label == "benign":
            assert {LESION_CLASS[kind] for kind in kinds} == {"benign"}
        two += len(kinds) == 2
        assert len(kinds) <= 2
    assert 10 < two < 120


def test_frames_share_the_patient_and_another_seed_is_another_set() -> None:
    plans = [plan_case(index, seed=0) for index in range(50)]
    for one, other in itertools.pairwise(plans):
        assert (one.patient == other.patient) == (one.patient_id == other.patient_id)
    assert [plan_case(index, seed=1).patient for index in range(50)] != [plan.patient for plan in plans]


def test_spacing_belongs_to_the_patient_and_the_image_size() -> None:
    plan = plan_case(7, seed=0)
    assert 38 <= plan.patient.depth_mm <= 50
    assert plan.spacing(256) == pytest.approx((plan.patient.depth_mm / 256,) * 2, abs=1e-6)
    assert len({plan_case(index, seed=0).spacing(256) for index in range(40)}) == len(
        {plan_case(index, seed=0).patient_id for index in range(40)}
    )


@pytest.mark.parametrize(("index", "seed"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(index: int, seed: int) -> None:
    with pytest.raises(InputError, match="negative"):
        plan_case(index, seed=seed)
