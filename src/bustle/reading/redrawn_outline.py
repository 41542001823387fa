"""What an outline that a person draws on a predicted image makes of the measurements and of the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.errors import InputError
from bustle.core.files import compact_json
from bustle.core.model_provenance import ModelProvenance
from bustle.core.types import ImageSegmentation, Lesion, Prediction
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.data.relations.frame_features import to_grey
from bustle.experiments.pictures import DESCRIBED_LESIONS, Picture, write_files
from bustle.inference.decision import DecisionRule
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.prediction_files import NETWORK_MASK, PROBABILITY, RECORD, existing_map, read_prediction
from bustle.inference.prediction_record import ImageRecord, read_record
from bustle.io.raster import read_image

Outline = Sequence[tuple[float, float]]
"""The corners (x, y) of a closed line, in pixels from the centre of the first one."""

MOST_OUTLINES, MOST_CORNERS, FEWEST_CORNERS = 50, 20_000, 3
FARTHEST = 1e6
"""Pixels from the first one, at which whatever is farther away is taken to be."""

_MARGIN = 2
"""Pixels around the image in which cut lines are closed again: OpenCV fills wrongly what leaves its canvas."""

_SUBPIXEL_BITS = 6
"""OpenCV's polygons have corners in so many binary digits of a pixel."""


@dataclass(frozen=True, kw_only=True)
class Redrawn:
    """A mask bool `H W`, what is measured of its lesions, the largest first, and the answer about them.

    `answer` is None where the model was not asked again, and of a model without a decision rule.
    """

    mask: NDArray[np.bool_]
    lesions: tuple[Lesion, ...]
    descriptors: tuple[LesionDescriptors, ...]
    answer: Answer | None


def made_by(folder: Path) -> ModelProvenance:
    """The model that made the prediction in a folder. Raises `InputError` where another tool did."""
    made = read_record(folder / RECORD).provenance
    if not isinstance(made, ModelProvenance):
        raise _made_elsewhere(folder)
    return made


@dataclass(frozen=True)
class PredictedImage:
    """The folder of one image's prediction, made with its lesion map, and the picture that was predicted."""

    folder: Path
    picture: Picture

    def record(self) -> ImageRecord:
        found = read_record(self.folder / RECORD)
        assert isinstance(found, ImageRecord)
        return found

    def mask(self) -> NDArray[np.bool_]:
        """The answer's own mask; empty of a model that draws nothing."""
        drawn = read_prediction(self.folder).segmentation
        return np.zeros(self.picture.geometry.original_size, bool) if drawn is None else drawn.mask

    def probability(self) -> NDArray[np.float32]:
        file = existing_map(self.folder, PROBABILITY)
        if file is None:
            return np.zeros(self.picture.geometry.original_size, np.float32)
        return read_image(file)[0].astype(np.float32) / 255

    def lesions(self, mask: NDArray[np.bool_]) -> tuple[Lesion, ...]:
        """Those of another mask `H W`, the largest first, with their sizes."""
        return tuple(measure_lesions(mask, self.probability(), spacing=self.picture.geometry.spacing))

    def redrawn(self, mask: NDArray[np.bool_], *, rule: DecisionRule | None) -> Redrawn:
        """Measure another mask `H W`, and ask `rule`, that of the model which made the prediction, again with it."""
        record = self.record()
        spacing = self.picture.geometry.spacing
        described = describe_lesions(to_grey(self.picture.image), mask, spacing=spacing, at_most=DESCRIBED_LESIONS)
        answer = None
        if record.answer is not None and rule is not None and record.class_probabilities is not None:
            largest = described[0].values() if described else None
            answer = rule.redrawn(record.answer, record.class_probabilities, lesion=largest)
        return Redrawn(
            mask=mask,
            lesions=measure_lesions(mask, self.probability(), spacing=spacing),
            descriptors=described,
            answer=answer,
        )

    def write_redrawn(self, redrawn: Redrawn, out: Path) -> Path:
        """Write `out/<name>` as a prediction's files are, with this outline; explanations stay with the model's own.

        Without an answer about this outline, that about the model's stays, too. Returns that folder.
        """
        record, provenance = self.record(), made_by(self.folder)
        mapping, answer = record.geometry.mapping, redrawn.answer or record.answer
        if mapping is None:
            raise _made_elsewhere(self.folder)
        network = existing_map(self.folder, NETWORK_MASK)
        drawn = ImageSegmentation(
            probability=self.probability(),
            mask=redrawn.mask,
            network_mask=redrawn.mask if network is None else read_image(network)[0] > 0,
            lesions=redrawn.lesions,
            raw_mask=self.mask(),
        )
        prediction = Prediction(
            case_id=self.picture.name,
            geometry=record.geometry.geometry,
            mapping=mapping,
            segmentation=drawn,
            class_probabilities=record.class_probabilities,
            decision=record.decision if answer is None else answer.decision,
            answer=answer,
            provenance=provenance,
            remarks=record.remarks,
        )
        return write_files(prediction, self.picture, out)


def _made_elsewhere(folder: Path) -> InputError:
    return InputError("was not made by bustle", remedy="predict it again", path=folder)


def mask_of_outlines(outlines: Sequence[Outline], *, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask bool `H W` of closed lines, which belong to it; where they cross or hold each other, all of it.

    What lies outside of the image is cut off, whatever there is left. Raises `InputError` for too many lines or
    corners, and for a line of fewer than three corners.
    """
    if len(outlines) > MOST_OUTLINES or sum(map(len, outlines)) > MOST_CORNERS:
        raise InputError(
            f"the outlines have more than {MOST_OUTLINES} parts or {MOST_CORNERS} corners", remedy="draw fewer"
        )
    mask = np.zeros([length + 2 * _MARGIN for length in size], np.uint8)
    for outline in outlines:
        corners = np.array(outline, np.float64).reshape(-1, 2)
        if len(corners) < FEWEST_CORNERS:
            raise InputError("an outline has fewer than 3 corners", remedy="draw a closed line")
        corners = np.clip(np.nan_to_num(corners), -FARTHEST, FARTHEST) + _MARGIN
        for axis, length in enumerate(mask.shape[::-1]):
            corners = _cut(_cut(corners, axis=axis, bound=0, side=1), axis=axis, bound=length - 1, side=-1)
        if len(corners):
            fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 1, lineType=cv2.LINE_8, shift=_SUBPIXEL_BITS)
    return mask[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] > 0


def _cut(corners: NDArray[np.float64], *, axis: int, bound: float, side: int) -> NDArray[np.float64]:
    """The closed line `N 2` on the higher (`side` 1) or lower (-1) side of a bound, along which it is closed again.

    Source: Sutherland, Hodgman: Reentrant polygon clipping. Communications of the ACM 17(1), 1974.
    """
    inside = side * (corners[:, axis] - bound) >= 0
    crosses = inside != np.roll(inside, -1)
    steps = np.roll(corners, -1, axis=0) - corners
    share = (bound - corners[:, axis]) / np.where(crosses, steps[:, axis], 1.0)
    crossings = corners + share[:, np.newaxis] * steps
    crossings[:, axis] = bound
    return np.stack([corners, crossings], axis=1)[np.stack([inside, crosses], axis=1)]


def outlines_digest(outlines: Sequence[Outline]) -> str:
    """Stands for the drawn lines."""
    rounded = [[[round(float(x), 3), round(float(y), 3)] for x, y in outline] for outline in outlines]
    return hashlib.sha256(compact_json(rounded).encode()).hexdigest()
