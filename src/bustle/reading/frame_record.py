"""What a model says of one frame of a clip, small enough that thousands make one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.config import LEFT_OUT_AT_DEFAULT
from bustle.core.types import Box, ImageSegmentation, Lesion, Prediction
from bustle.inference.prediction_record import BoxRecord, ImageRecord, LesionRecord
from bustle.reading.lesion_mask import LesionMask

MOST_LESIONS = 10
"""Of the lesions of one frame, the largest are kept: a map of noise has hundreds of parts."""


@dataclass(frozen=True, kw_only=True)
class SeenLesion:
    """A lesion as one frame shows it; see `Lesion`.

    Its mask is `box` row by row as lengths of `runs`, of background and lesion by turns. `at_edge`: it reaches the
    edge of the frame and is measured as far as it is seen.
    """

    area: float
    long_axis: float
    short_axis: float
    probability: float
    at_edge: bool
    box: BoxRecord
    runs: tuple[int, ...]

    def __post_init__(self) -> None:
        if min(self.area, self.long_axis, self.short_axis) < 0 or not 0 <= self.probability <= 1:
            raise ValueError("sizes must not be negative, and the probability must lie between 0 and 1")
        _ = self.mask  # which refuses runs that do not fill the box

    @property
    def mask(self) -> LesionMask:
        box = self.box
        return LesionMask.of_runs(Box(box.y_start, box.x_start, box.y_stop, box.x_stop), self.runs)


@dataclass(frozen=True, kw_only=True)
class FrameRecord:
    """One frame: its lesions, the largest first, and the model's answer about it as in `Prediction`.

    `problem` says why it could not be read; it has no answer then.
    """

    frame: int
    decision: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    class_probabilities: Mapping[str, float] | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    answer: Answer | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    lesions: tuple[SeenLesion, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    remarks: tuple[str, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    problem: str | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    def __post_init__(self) -> None:
        if self.answer is not None and self.decision != self.answer.decision:
            raise ValueError("decision must be that of the answer")
        if self.problem is not None and (self.decision is not None or self.lesions):
            raise ValueError("a frame that could not be read has no answer")

    @classmethod
    def of(cls, prediction: Prediction, *, frame: int) -> FrameRecord:
        drawn = prediction.segmentation
        lesions: tuple[SeenLesion, ...] = ()
        if isinstance(drawn, ImageSegmentation):
            lesions = _seen_on(drawn.mask, drawn.lesions)
        return cls(
            frame=frame,
            decision=prediction.decision,
            class_probabilities=prediction.class_probabilities,
            answer=prediction.answer,
            lesions=lesions,
            remarks=prediction.remarks,
        )

    @classmethod
    def of_record(cls, record: ImageRecord, *, mask: NDArray[np.bool_] | None, frame: int) -> FrameRecord:
        """What was written about the frame as a case of its own; `mask` is None where none was."""
        return cls(
            frame=frame,
            decision=record.decision,
            class_probabilities=record.class_probabilities,
            answer=record.answer,
            lesions=() if mask is None else _seen_on(mask, record.drawn.lesions or ()),
            remarks=record.remarks,
        )

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Calibrated where there is an answer, else the network's own; empty where nothing can be said."""
        return (self.class_probabilities if self.answer is None else self.answer.probabilities) or {}


def _seen_on(mask: NDArray[np.bool_], lesions: Sequence[Lesion | LesionRecord]) -> tuple[SeenLesion, ...]:
    return tuple(_seen(lesion, mask) for lesion in lesions[:MOST_LESIONS])


def _seen(lesion: Lesion | LesionRecord, drawn: NDArray[np.bool_]) -> SeenLesion:
    """The part of the mask that the lesion is: of others in its box, none touches it."""
    from bustle.inference.decided_outline import numbered_parts

    box = Box(lesion.box.y_start, lesion.box.x_start, lesion.box.y_stop, lesion.box.x_stop)
    parts = numbered_parts(np.ascontiguousarray(drawn[box.y_start : box.y_stop, box.x_start : box.x_stop]))
    # an outline's first point is a pixel of the lesion
    y, x = lesion.contour[0]
    mask = LesionMask(box, parts == parts[int(y) - box.y_start, int(x) - box.x_start])
    return SeenLesion(
        area=lesion.area,
        long_axis=lesion.long_axis,
        short_axis=lesion.short_axis,
        probability=lesion.probability,
        at_edge=mask.touches_edge((drawn.shape[0], drawn.shape[1])),
        box=BoxRecord(*box),
        runs=mask.runs,
    )
