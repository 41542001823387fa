"""Which lesions a method found: its candidates matched one to one with the true lesions of an image or a volume.

The convention: candidates are taken in falling order of score. Each takes, of the lesions that it hits and that no
candidate before it has taken, the one that it hits best. A candidate that hits only lesions already taken is a
repetition and counts neither as a find nor as a false positive (as LUNA16 counts: Setio et al., Med. Image Anal.
2017); one that hits no lesion is a false positive. So the matching at any threshold is the beginning of this one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import LesionCandidate
from bustle.evaluation.components import Component, components_by_number

HitKind = Literal["iou", "dice", "centre", "radius"]


@dataclass(frozen=True)
class HitRule:
    """When a candidate hits a lesion.

    `iou`, `dice`: the overlap of the candidate's component with the lesion is at least `least` (IoU 0.1 is the rule
    of PI-CAI: Saha et al., Lancet Oncol. 2024). `centre`: the voxel of the candidate's centre belongs to the lesion.
    `radius`: that centre is no further from the lesion's centre than the radius of the ball of the lesion's volume
    (in 2D: of the disc of its area), the form of LUNA16, which takes half the drawn diameter. `least` has no meaning
    for the last two.
    """

    kind: HitKind = "iou"
    least: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1:
            raise ValueError("the least overlap must lie above 0 and not above 1")

    def describe(self) -> str:
        return {
            "iou": f"IoU of at least {self.least:g}",
            "dice": f"Dice of at least {self.least:g}",
            "centre": "centre inside the lesion",
            "radius": "centre within the lesion's radius",
        }[self.kind]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A lesion that a method proposes: `centre` as an index (voxels) on the whole grid, its score, and its mask.

    `component` may be None for a method that only points at lesions; it is then scored by `centre` or `radius`.
    """

    centre: tuple[float, ...]
    score: float
    component: Component | None = None


def candidates_from_map(candidate_map: NDArray[np.integer], found: Sequence[LesionCandidate]) -> list[Candidate]:
    """The candidates of a prediction, whose map `*S` numbers their voxels from 1 in their order (0 = background).

    One of which nothing is drawn has an empty component: it hits no lesion by overlap.
    """
    drawn = components_by_number(candidate_map)
    nothing = Component((0,) * candidate_map.ndim, np.zeros((0,) * candidate_map.ndim, bool))
    return [
        Candidate(candidate.centre, candidate.score, drawn.get(number, nothing))
        for number, candidate in enumerate(found, start=1)
    ]


class Matching(NamedTuple):
    """Indices of candidates: per lesion the one that found it or None, the false positives, the repetitions."""

    found_by: tuple[int | None, ...]
    false: tuple[int, ...]
    repeated: tuple[int, ...]


def match_candidates(
    lesions: Sequence[Component],
    candidates: Sequence[Candidate],
    *,
    rule: HitRule,
    spacing: Sequence[float] | None = None,
) -> Matching:
    """Match by the convention above; of equal scores the earlier candidate comes first.

    `spacing` matters for `radius` alone; None takes the voxels as cubes.
    """
    found_by: list[int | None] = [None] * len(lesions)
    false, repeated = [], []
    for index in sorted(range(len(candidates)), key=lambda number: -candidates[number].score):
        hits = {
            number: value
            for number, lesion in enumerate(lesions)
            if (value := _closeness(lesion, candidates[index], rule=rule, spacing=spacing)) is not None
        }
        free = {number: value for number, value in hits.items() if found_by[number] is None}
        if free:
            found_by[max(free, key=free.__getitem__)] = index
        elif hits:
            repeated.append(index)
        else:
            false.append(index)
    return Matching(tuple(found_by), tuple(false), tuple(repeated))


def _closeness(
    lesion: Component, candidate: Candidate, *, rule: HitRule, spacing: Sequence[float] | None
) -> float | None:
    """How well the candidate hits the lesion, greater is better; None where it does not."""
    if rule.kind in ("iou", "dice"):
        overlap = _overlap(lesion, candidate, kind=rule.kind)
        return overlap if overlap >= rule.least else None
    step = np.ones(lesion.mask.ndim) if spacing is None else np.asarray(spacing, np.float64)
    distance = float(np.linalg.norm((np.subtract(candidate.centre, lesion.centre())) * step))
    if rule.kind == "centre":
        hit = lesion.holds(candidate.centre)
    else:
        hit = distance <= _radius(lesion.size * float(step.prod()), dims=lesion.mask.ndim)
    return -distance if hit else None


def _overlap(lesion: Component, candidate: Candidate, *, kind: HitKind) -> float:
    if candidate.component is None:
        raise ValueError(f"the rule '{kind}' needs the candidates' masks")
    shared = lesion.shared_with(candidate.component)
    total = lesion.size + candidate.component.size
    return shared / (total - shared) if kind == "iou" else 2 * shared / total


def _radius(content: float, *, dims: int) -> float:
    return math.sqrt(content / math.pi) if dims == 2 else (3 * content / (4 * math.pi)) ** (1 / 3)


@dataclass(frozen=True, kw_only=True)
class DetectedCase:
    """What is counted of one image or volume.

    `hit_scores` holds per true lesion the score of the candidate that found it, None if none did; `false_scores`
    the scores of the false positives. A case without lesions adds its false positives alone. `group_id` is the unit
    of resampling, the patient.
    """

    group_id: str
    hit_scores: tuple[float | None, ...]
    false_scores: tuple[float, ...]


def detect_lesions(
    instance_map: NDArray[np.integer],
    candidates: Sequence[Candidate],
    *,
    rule: HitRule,
    group_id: str,
    spacing: Sequence[float] | None = None,
) -> DetectedCase:
    """Match the candidates with the lesions of the true instance map `*S` (0 = background)."""
    lesions = list(components_by_number(instance_map).values())
    matching = match_candidates(lesions, candidates, rule=rule, spacing=spacing)
    return DetectedCase(
        group_id=group_id,
        hit_scores=tuple(None if index is None else candidates[index].score for index in matching.found_by),
        false_scores=tuple(candidates[index].score for index in matching.false),
    )
