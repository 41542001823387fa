"""Which lesions a method found: its candidates matched one to one with the true lesions of an image or a volume.

The convention: candidates are taken in falling order of score. Each takes, of the lesions that it hits and that no
candidate before it has taken, the one that it hits best. A candidate that hits only lesions already taken is a
repetition and counts neither as a find nor as a false positive (as LUNA16 counts: Setio et al., Med. Image Anal.
2017); one that hits no lesion is a false positive. So the matching at any threshold is the beginning of this one.
A hit is an IoU of at least so much of the candidate's and the lesion's voxels (0.1 is the rule of PI-CAI: Saha et
al., Lancet Oncol. 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import LesionCandidate
from bustle.evaluation.components import Component, components_by_number


@dataclass(frozen=True, eq=False)
class Candidate:
    """A lesion that a method proposes: its score and its voxels."""

    score: float
    component: Component


def candidates_from_map(candidate_map: NDArray[np.integer], found: Sequence[LesionCandidate]) -> list[Candidate]:
    """The candidates of a prediction, whose map `*S` numbers their voxels from 1 in their order (0 = background).

    One of which nothing is drawn has an empty component: it hits no lesion.
    """
    drawn = components_by_number(candidate_map)
    nothing = Component((0,) * candidate_map.ndim, np.zeros((0,) * candidate_map.ndim, bool))
    return [Candidate(candidate.score, drawn.get(number, nothing)) for number, candidate in enumerate(found, start=1)]


class Matching(NamedTuple):
    """Indices of candidates: per lesion the one that found it or None, the false positives, the repetitions."""

    found_by: tuple[int | None, ...]
    false: tuple[int, ...]
    repeated: tuple[int, ...]


def match_candidates(lesions: Sequence[Component], candidates: Sequence[Candidate], *, least_iou: float) -> Matching:
    """Match by the convention above; of equal scores the earlier candidate comes first."""
    found_by: list[int | None] = [None] * len(lesions)
    false, repeated = [], []
    for index in sorted(range(len(candidates)), key=lambda number: -candidates[number].score):
        hits = {
            number: value
            for number, lesion in enumerate(lesions)
            if (value := _iou(lesion, candidates[index].component)) >= least_iou
        }
        free = {number: value for number, value in hits.items() if found_by[number] is None}
        if free:
            found_by[max(free, key=free.__getitem__)] = index
        elif hits:
            repeated.append(index)
        else:
            false.append(index)
    return Matching(tuple(found_by), tuple(false), tuple(repeated))


def _iou(lesion: Component, drawn: Component) -> float:
    shared = lesion.shared_with(drawn)
    return shared / (lesion.size + drawn.size - shared)


@dataclass(frozen=True, kw_only=True)
class DetectedCase:
    """What is counted of one image or volume.

    `hit_scores` holds per true lesion the score of the candidate that found it, None if none did, `lesion_mm3` its
    volume; `false_scores` the scores of the false positives. A case without lesions adds its false positives alone.
    `group_id` is the unit of resampling, the patient.
    """

    case_id: str
    group_id: str
    hit_scores: tuple[float | None, ...]
    lesion_mm3: tuple[float, ...]
    false_scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.hit_scores) != len(self.lesion_mm3):
            raise ValueError(f"{len(self.hit_scores)} scores of {len(self.lesion_mm3)} lesions")


def detect_lesions(
    instance_map: NDArray[np.integer],
    candidates: Sequence[Candidate],
    *,
    least_iou: float,
    voxel_mm3: float,
    case_id: str,
    group_id: str,
) -> DetectedCase:
    """Match the candidates with the lesions of the true instance map `*S` (0 = background)."""
    lesions = list(components_by_number(instance_map).values())
    matching = match_candidates(lesions, candidates, least_iou=least_iou)
    return DetectedCase(
        case_id=case_id,
        group_id=group_id,
        hit_scores=tuple(None if index is None else candidates[index].score for index in matching.found_by),
        lesion_mm3=tuple(lesion.size * voxel_mm3 for lesion in lesions),
        false_scores=tuple(candidates[index].score for index in matching.false),
    )
