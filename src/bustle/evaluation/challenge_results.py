"""A scored submission to the TDSC-ABUS 2023 challenge: the content of `challenge.json` and `challenge_cases.csv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bustle.core.provenance import Provenance

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class ChallengeRow:
    """One volume; None for a part that was not submitted. `hd` is in voxels, `boxes` the number of proposed ones."""

    case_id: str
    label: str | None
    dice: float | None
    hd: float | None
    probability: float | None
    boxes: int | None


@dataclass(frozen=True, kw_only=True)
class ChallengeSegmentation:
    """Means over the cases. `hd_voxels` and `score` are None where one of the HDs is infinite, as their means are."""

    dice: float
    hd_voxels: float | None
    n_infinite: int
    score: float | None


@dataclass(frozen=True, kw_only=True)
class ChallengeClassification:
    """`auc` and `score` are None where all cases are of one class."""

    accuracy: float
    auc: float | None
    score: float | None


@dataclass(frozen=True, kw_only=True)
class ChallengeDetection:
    """The mean sensitivity, and the sensitivities by the number of false positives per volume."""

    froc: float
    sensitivities: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class BoardPlace:
    """Where a submission would stand among so many teams, itself included."""

    score: float
    rank: int
    teams: int


@dataclass(frozen=True, kw_only=True)
class ChallengeResult:
    """Parts that were not submitted are None, and `ranks` unless the cases are those of the challenge's test part."""

    format: int = FORMAT
    challenge: str
    n_cases: int
    segmentation: ChallengeSegmentation | None
    classification: ChallengeClassification | None
    detection: ChallengeDetection | None
    ranks: Mapping[str, BoardPlace | None] | None
    warnings: tuple[str, ...]
    provenance: Provenance
