"""What result objects say, free of DICOM: one person's images, their answers and lesions, and what answered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bustle.io.dicom.source import SourceImage


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What made the results: `name` is the model's title, `version` bustle's.

    `answers_sha256` stands for all that determines its answers (weights, graph, decision rule), `parameters` are the
    choices of this run that change them, in words such as "spacing 0.08 mm". `corrected`: a person has drawn outlines
    anew.
    """

    name: str
    version: str
    answers_sha256: str
    parameters: tuple[str, ...] = ()
    corrected: bool = False

    @property
    def key(self) -> str:
        """The same for runs that must give the same results."""
        return hashlib.sha256(repr((self.version, self.answers_sha256, self.parameters)).encode()).hexdigest()

    @property
    def full_version(self) -> str:
        """The software's version and the first digits of the model's digest: a LO of DICOM, 64 characters at most."""
        return f"{self.version} model {self.answers_sha256[:16]}"[:64]


@dataclass(frozen=True, kw_only=True)
class ReportedLesion:
    """One lesion of an image, of a clip or of a volume.

    `number` counts those of an image, or of one `field` of it (from 1) where a frame shows several. `masks` bool
    `H W` by frame number (from 1; an image has frame 1) are on the full frame's grid; each is asked for when it is
    written. `measured_frame` is the one that `measured` and `words` tell of, or a volume's with the largest area,
    where they tell of the whole: values by the names of measured descriptors, in `unit`, its square, its cube or
    none, and the words of BI-RADS by what they describe. `certainty` 0..1 is the mean of the lesion map inside, in a
    volume the score of the place.
    `suspected`: it may be no lesion at all. `touches_edge`: it is cut off by the edge of the picture.
    """

    number: int
    field: int | None = None
    masks: Mapping[int, NDArray[np.bool_]]
    measured_frame: int
    certainty: float
    suspected: bool
    touches_edge: bool | None
    unit: Literal["mm", "px"]
    measured: Mapping[str, float | None]
    words: Mapping[str, str | None]

    def __post_init__(self) -> None:
        if not self.masks or self.measured_frame not in self.masks or min(self.masks) < 1:
            raise ValueError("a lesion has a mask in each of its frames, which count from 1, and is measured in one")

    @property
    def label(self) -> str:
        name = f"Lesion {self.number}" if self.field is None else f"Field {self.field}, lesion {self.number}"
        return name + (" (suspected)" if self.suspected else "")


@dataclass(frozen=True, kw_only=True)
class ReportedAnswer:
    """What is said about an image, or about the `frame` (from 1) of a clip or a volume that stands for it.

    `probabilities` by class are calibrated where `calibrated`, otherwise the network's own. `possible` are the
    classes that cannot be excluded. `remarks` are lines that a reader must know; `moved_by` such as
    "taller than wide +0.12".
    """

    frame: int
    decision: str | None
    probabilities: Mapping[str, float]
    calibrated: bool
    possible: tuple[str, ...]
    moved_by: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SlicePlaces:
    """The frames (from 1) of a volume in the order of its slices, and where they lie.

    `spacing` (slice, row, column) is the size of a voxel in mm. `axes` (6) are the directions of rows and columns
    and `positions` the first voxel of each slice, in mm, as the source places them in the patient; None where it does
    not.
    """

    frames: tuple[int, ...]
    spacing: tuple[float, float, float]
    axes: tuple[float, ...] | None = None
    positions: tuple[tuple[float, float, float], ...] | None = None

    def __post_init__(self) -> None:
        if self.positions is not None and (self.axes is None or len(self.positions) != len(self.frames)):
            raise ValueError("slices that are placed have axes and a position each")


@dataclass(frozen=True, kw_only=True)
class ReportedImage:
    """An image, a clip or a volume, which has `slices`, with its answer and its lesions."""

    source: SourceImage
    answer: ReportedAnswer
    lesions: tuple[ReportedLesion, ...]
    slices: SlicePlaces | None = None

    def __post_init__(self) -> None:
        if any(max(lesion.masks) > self.source.frames for lesion in self.lesions):
            raise ValueError(f"masks must be in the {self.source.frames} frames of the source")
