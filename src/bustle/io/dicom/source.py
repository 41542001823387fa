"""The header of an image that result objects refer to: everything but its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns")
"""Without these no object can say which image it is about."""


@dataclass(frozen=True)
class SourceImage:
    """An image, a clip or a volume as its `header` tells of it.

    Raises `InputError` where that lacks what identifies it.
    """

    header: Dataset = field(repr=False)
    path: Path | None = None

    def __post_init__(self) -> None:
        missing = [name for name in NEEDED if not self.header.get(name)]
        if missing:
            raise InputError(
                f"lacks {', '.join(missing)}, so that no result object can refer to it",
                remedy="ask for --format json,png only, or restore the file",
                path=self.path,
            )

    @property
    def sop_class(self) -> str:
        return str(self.header.SOPClassUID)

    @property
    def sop_instance(self) -> str:
        return str(self.header.SOPInstanceUID)

    @property
    def study(self) -> str:
        return str(self.header.StudyInstanceUID)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return int(self.header.Rows), int(self.header.Columns)

    @property
    def frames(self) -> int:
        return max(1, int(self.header.get("NumberOfFrames") or 1))

    @property
    def has_frames(self) -> bool:
        """Whether references to it name the frame; those to an image of one frame must not."""
        return self.frames > 1


def read_source(path: Path) -> SourceImage:
    """Read the header of a DICOM image; raises `InputError` for what is none."""
    from bustle.io.dicom.header import read_header

    return SourceImage(read_header(path).dataset, path)
