"""Which cases a confidence interval must resample together, as far as it is known without a long search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bustle.core.types import Case
from bustle.data.relations.duplicates import COPIES, groups_of_pairs, remembered_pairs
from bustle.data.relations.leak_groups import leak_groups, patient_groups

LEAK_GROUPS = "patients and near-duplicate images"


class ResamplingGroups(NamedTuple):
    """Group id by case id, what a group is, and a warning where something better could be had."""

    group_of: dict[str, str]
    meaning: str
    warnings: tuple[str, ...]


def resampling_groups(cases: Sequence[Case]) -> ResamplingGroups:
    """Leak groups where `bustle data audit`, `split` or `train` has compared these images before, else patients.

    Comparing all images takes minutes, so an evaluation does not begin it; what it does without, it says.
    """
    pairs = remembered_pairs(cases)
    if pairs is not None:
        duplicates = groups_of_pairs(cases, pairs, relations=(*COPIES, "same-scene"))
        return ResamplingGroups(leak_groups(cases, duplicate_groups=duplicates), LEAK_GROUPS, ())
    alone = sum(case.patient_id is None for case in cases)
    if not alone:
        return ResamplingGroups(patient_groups(cases), "patients", ())
    warning = (
        f"the intervals treat {alone} images of unknown patients as independent; "
        "run `bustle data audit` on the same data first, and near-duplicate images are kept together"
    )
    meaning = "images" if alone == len(cases) else "patients, images of unknown patients alone"
    return ResamplingGroups(patient_groups(cases), meaning, (warning,))
