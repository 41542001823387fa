"""What the API tells of a volume."""

from __future__ import annotations

from bustle.webapp.messages import DescribedLesion, Message


class CandidateInfo(DescribedLesion):
    """A place where a lesion may be; `centre` is slice, row and column in voxels, `score` 0..1 says how surely."""

    number: int
    centre: tuple[float, float, float]
    score: float
    volume_mm3: float
    malignant: float | None


class VolumeInfo(Message):
    """Slices, rows and columns; `spacing_mm` is None where the file does not say it. `candidates`: the surest first.

    Without `is_read` no model has read it. `/api/cases/{id}/volume/voxels` is a copy of at most 8 million voxels,
    `…/volume/first` a coarser one, `…/volume/mask` what is outlined, all NIfTI.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    is_read: bool
    has_mask: bool
    candidates: list[CandidateInfo]
