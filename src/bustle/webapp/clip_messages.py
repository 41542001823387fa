"""What the API tells of a clip."""

from __future__ import annotations

from typing import Literal

from bustle.webapp.messages import Message, Outlines


class FrameInfo(Message):
    """A frame and what the model says of it; `lesions` are the numbers along the clip of its `outlines`.

    `case` is the case that was made of it, to be read like an image. `problem` says why it could not be read.
    """

    number: int
    decision: str | None
    malignant: float | None
    outlines: Outlines
    lesions: list[int]
    problem: str | None
    case: str | None


class ClipLesionInfo(Message):
    """A lesion in so many `frames` of the clip; `best` is the frame that shows it best, which the sizes are of."""

    number: int
    decision: str | None
    malignant: float | None
    frames: int
    best: int
    why: str
    area: float
    long_axis: float
    short_axis: float


class ClipInfo(Message):
    """The frames in their order. `best` is the frame that shows the deciding lesion best, `decided_by` its number."""

    unit: Literal["mm", "px"]
    spacing_mm: tuple[float, float] | None
    width: int
    height: int
    frames: list[FrameInfo]
    lesions: list[ClipLesionInfo]
    decided_by: int | None
    best: int
