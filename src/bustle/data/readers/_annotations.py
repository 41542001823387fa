"""What a data set says of one case: what is annotated in it, and where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bustle.core.types import Box, Label
from bustle.data.readers._lesions import LesionSource


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What experts drew and said; None where nobody did. `other_masks` are further structures by name."""

    lesions: LesionSource | None
    label: Label | None = None
    boxes: tuple[Box, ...] | None = None
    gland_mask: Path | None = None
    other_masks: Mapping[str, Path] = field(default_factory=dict)

    @property
    def lesion_files(self) -> tuple[Path, ...]:
        return () if self.lesions is None else self.lesions.files

    @property
    def mask_files(self) -> tuple[Path, ...]:
        """All masks, those of the lesions first."""
        gland = () if self.gland_mask is None else (self.gland_mask,)
        return (*self.lesion_files, *gland, *self.other_masks.values())

    @property
    def outlined(self) -> bool:
        """Whether it is known where lesions are."""
        return self.lesions is not None or self.boxes is not None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whom a case shows, and what else the publishers say of it; `tables` are the files that say so.

    `official_fold`, `video`, `frame` and `metadata` are those of `Case`.
    """

    patient_id: str | None = None
    official_fold: int | None = None
    video: str | None = None
    frame: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Path, ...] = ()
