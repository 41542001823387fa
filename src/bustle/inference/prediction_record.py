"""The content of `prediction.json`: what images and volumes share, and what was drawn on the one or in the other.

Its form is that of the first prediction that was written; it is read strictly, whoever wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bustle.core.answer import Answer
from bustle.core.config import INLINE, LEFT_OUT_AT_DEFAULT, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.explanation import ExplanationMethod
from bustle.core.files import read_json, write_json
from bustle.core.model_provenance import PredictionProvenance
from bustle.core.similar_case import SimilarCase
from bustle.core.types import (
    Explanation,
    ImageSegmentation,
    Lesion,
    LesionCandidate,
    Prediction,
    VolumeMapping,
    VolumeSegmentation,
)
from bustle.inference.descriptors.results import BiradsWords, LesionDescriptors
from bustle.inference.geometry_record import GeometryRecord

MOST_CANDIDATES = 255
"""So many numbers the voxels of a mask can bear."""


@dataclass(frozen=True)
class BoxRecord:
    y_start: int
    x_start: int
    y_stop: int
    x_stop: int

    def __post_init__(self) -> None:
        if not (0 <= self.y_start < self.y_stop and 0 <= self.x_start < self.x_stop):
            raise ValueError("the box must start at 0 or later and stop after it starts")


@dataclass(frozen=True, kw_only=True)
class DescriptorsRecord:
    """See `LesionDescriptors`; `values` by the names in `bustle.inference.descriptors.definitions`."""

    touches_edge: bool
    words: BiradsWords
    values: Mapping[str, float | None]

    @classmethod
    def of(cls, found: LesionDescriptors) -> DescriptorsRecord:
        return cls(touches_edge=found.touches_edge, words=found.words, values=found.values())

    @property
    def volume_diameters(self) -> tuple[float, ...]:
        """Those of a volume's lesion, the longest first, each at right angles to those before."""
        found = (self.values.get(name) for name in ("longest_diameter", "middle_diameter", "shortest_diameter"))
        return tuple(length for length in found if length is not None)


@dataclass(frozen=True, kw_only=True)
class LesionRecord:
    """See `Lesion`; its unit is the record's. `descriptors` are None for all but the largest lesions."""

    area: float
    long_axis: float
    short_axis: float
    probability: float
    box: BoxRecord
    contour: tuple[tuple[float, float], ...]
    descriptors: DescriptorsRecord | None = None

    @classmethod
    def of(cls, lesion: Lesion, *, descriptors: DescriptorsRecord | None) -> LesionRecord:
        return cls(
            area=lesion.area,
            long_axis=lesion.long_axis,
            short_axis=lesion.short_axis,
            probability=lesion.probability,
            box=BoxRecord(*lesion.box),
            contour=lesion.contour,
            descriptors=descriptors,
        )

    def __post_init__(self) -> None:
        _check_not_negative(area=self.area, long_axis=self.long_axis, short_axis=self.short_axis)
        _check_probability("probability", self.probability)


@dataclass(frozen=True, kw_only=True)
class CandidateRecord:
    """See `LesionCandidate`. `descriptors` are None where nothing is drawn, and for all but the largest lesions."""

    found: LesionCandidate = field(metadata=INLINE)
    descriptors: DescriptorsRecord | None = None


@dataclass(frozen=True, kw_only=True)
class ExplanationRecord:
    """See `Explanation`. `file` holds the map in 16 bits: 0 is `low`, 65535 is `high`; `value` says what it means."""

    method: ExplanationMethod
    class_name: str | None
    file: str
    low: float
    high: float
    value: str
    channel: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    @classmethod
    def of(cls, found: Explanation, *, file: str) -> ExplanationRecord:
        low, high = found.limits
        return cls(
            method=found.method,
            class_name=found.class_name,
            file=file,
            low=low,
            high=high,
            value=found.meaning.value,
            channel=found.channel,
        )


@dataclass(frozen=True, kw_only=True)
class DrawnOnImage:
    """`mask_area` is in the square of the record's unit; a foreign tool may leave both out."""

    mask_area: float | None = None
    lesions: tuple[LesionRecord, ...] | None = None

    def __post_init__(self) -> None:
        _check_not_negative(mask_area=self.mask_area)

    @property
    def lesion_count(self) -> int:
        """How many lesions are drawn."""
        return len(self.lesions or ())


@dataclass(frozen=True, kw_only=True)
class DrawnInVolume:
    """`mask_volume` is in the cube of the record's unit; `centre` is where the model was told to look."""

    mask_volume: float | None = None
    candidates: tuple[CandidateRecord, ...] = ()
    centre: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        _check_not_negative(mask_volume=self.mask_volume)
        if len(self.candidates) > MOST_CANDIDATES:
            raise ValueError(f"there are {len(self.candidates)} candidates, at most {MOST_CANDIDATES} have a number")
        for number, candidate in enumerate(self.candidates):
            _check_candidate(candidate.found, place=f"candidates.{number}")

    @property
    def lesion_count(self) -> int:
        """At how many of the candidates something is drawn."""
        return sum(candidate.found.voxels > 0 for candidate in self.candidates)


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """What the records of images and volumes share; lengths are in `unit`, which is mm where the spacing is known.

    `class_probabilities` are the network's own; `decision` is that of the `answer`, where the model has a rule.
    """

    case_id: str | None = None
    image_size: tuple[int, ...] | None = None
    spacing_mm: tuple[float, ...] | None = None
    unit: Literal["mm", "px"] | None = None
    decision: str | None
    class_probabilities: Mapping[str, float] | None
    answer: Answer | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    remarks: tuple[str, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    similar_cases: tuple[SimilarCase, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    explanations: tuple[ExplanationRecord, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    drawn: DrawnOnImage | DrawnInVolume = field(metadata=INLINE)
    geometry: GeometryRecord
    provenance: PredictionProvenance
    input_sha256: str | None = None

    @property
    def centre(self) -> tuple[float, ...] | None:
        """Where the model was told to look for a volume's lesion."""
        return None

    def __post_init__(self) -> None:
        _check_classes("class_probabilities", self.class_probabilities)
        if self.answer is not None:
            _check_classes("answer.probabilities", self.answer.probabilities or None)
            if self.decision != self.answer.decision:
                raise ValueError("decision must be that of the answer")
        elif self.decision is not None and self.decision not in (self.class_probabilities or {self.decision}):
            raise ValueError(f"decision {self.decision[:40]!r} is none of class_probabilities")
        geometry = self.geometry
        if self.image_size not in (None, geometry.original_size) or self.spacing_mm not in (None, geometry.spacing):
            raise ValueError("image_size and spacing_mm must be those of geometry")
        if (len(geometry.original_size) == 3) != isinstance(self.drawn, DrawnInVolume):
            raise ValueError("an image has lesions, a volume candidates, but geometry.original_size is of the other")


@dataclass(frozen=True, kw_only=True)
class ImageRecord(PredictionRecord):
    drawn: DrawnOnImage = field(metadata=INLINE)


@dataclass(frozen=True, kw_only=True)
class VolumeRecord(PredictionRecord):
    drawn: DrawnInVolume = field(metadata=INLINE)

    @property
    def centre(self) -> tuple[float, ...] | None:
        return self.drawn.centre


def write_record(path: Path, record: ImageRecord | VolumeRecord) -> None:
    """Write `prediction.json`; raises `InputError` where that is not possible."""
    write_json(path, to_mapping(record))


def record_of(
    prediction: Prediction,
    *,
    input_sha256: str | None = None,
    descriptors: Sequence[LesionDescriptors] = (),
    explanation_files: Sequence[str] = (),
) -> ImageRecord | VolumeRecord:
    """The record of a prediction; `descriptors` bear the numbers (from 1) of its lesions or candidates.

    `explanation_files` are the names of the files that hold its explanations.
    """
    geometry = prediction.geometry
    shared: dict[str, Any] = {
        "case_id": prediction.case_id,
        "image_size": geometry.original_size,
        "spacing_mm": geometry.spacing,
        "unit": geometry.unit,
        "decision": prediction.decision,
        "class_probabilities": prediction.class_probabilities,
        "answer": prediction.answer,
        "remarks": prediction.remarks,
        "similar_cases": prediction.similar_cases,
        "explanations": tuple(
            ExplanationRecord.of(found, file=file)
            for found, file in zip(prediction.explanations, explanation_files, strict=True)
        ),
        "geometry": GeometryRecord.of(geometry, prediction.mapping),
        "provenance": prediction.provenance,
        "input_sha256": input_sha256,
    }
    drawn = prediction.segmentation
    size = None if drawn is None else float(drawn.mask.sum()) * math.prod(geometry.step)
    described = {found.number: DescriptorsRecord.of(found) for found in descriptors}
    if isinstance(prediction.mapping, VolumeMapping):
        places = drawn.candidates if isinstance(drawn, VolumeSegmentation) else ()
        candidates = tuple(
            CandidateRecord(found=found, descriptors=described.get(number))
            for number, found in enumerate(places, start=1)
        )
        in_volume = DrawnInVolume(mask_volume=size, candidates=candidates, centre=_place(prediction.centre))
        return VolumeRecord(**shared, drawn=in_volume)
    lesions = drawn.lesions if isinstance(drawn, ImageSegmentation) else ()
    records = tuple(
        LesionRecord.of(lesion, descriptors=described.get(number)) for number, lesion in enumerate(lesions, start=1)
    )
    on_image = DrawnOnImage(mask_area=size, lesions=records)
    return ImageRecord(**shared, drawn=on_image)


def read_record(path: Path) -> ImageRecord | VolumeRecord:
    """Read `prediction.json`; raises `InputError`, which names the entry, for anything but such a record."""
    content = read_json(path)
    try:
        if not isinstance(content, dict):
            raise InputError("lacks a record", remedy="predict this case again")
        of_volume = {f.name for f in fields(DrawnInVolume)} & set(content)
        return from_mapping(VolumeRecord if of_volume else ImageRecord, content, where="record")
    except InputError as error:
        error.path = path
        raise


def _check_candidate(candidate: LesionCandidate, *, place: str) -> None:
    _check_probability(f"{place}.score", candidate.score)
    _check_not_negative(**{f"{place}.voxels": candidate.voxels, f"{place}.volume_mm3": candidate.volume_mm3})
    _check_classes(f"{place}.class_probabilities", candidate.class_probabilities)
    if not len(candidate.centre) == len(candidate.box_start) == len(candidate.box_stop) == 3:
        raise ValueError(f"{place} must have centre, box_start and box_stop of 3 numbers each")


def _check_classes(place: str, probabilities: Mapping[str, float] | None) -> None:
    if probabilities is None:
        return
    for name, value in probabilities.items():
        _check_probability(f"{place}.{name}", value)
    if abs(sum(probabilities.values()) - 1) > 0.01:
        raise ValueError(f"{place} sum to {sum(probabilities.values()):.3f}, not to 1")


def _check_probability(place: str, value: float) -> None:
    if not 0 <= value <= 1 + 1e-6:  # single precision may leave a little more than 1
        raise ValueError(f"{place} {value} must lie between 0 and 1")


def _check_not_negative(**values: float | None) -> None:
    for place, value in values.items():
        if value is not None and not value >= 0:
            raise ValueError(f"{place} {value} must not be negative")


def _place(centre: Sequence[float] | None) -> tuple[float, float, float] | None:
    if centre is None:
        return None
    depth, height, width = centre
    return depth, height, width
