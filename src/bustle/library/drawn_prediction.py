"""A prediction together with the picture that it was made of, so that it can draw, show and save itself."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.claimed_output import claim_folder
from bustle.core.explanation import ExplanationMethod
from bustle.core.paths import given_path
from bustle.core.similar_case import SimilarCase
from bustle.core.types import Explanation, ImageSegmentation, Lesion, LesionCandidate, Prediction, VolumeSegmentation
from bustle.drawing.heat import draw_explanation
from bustle.drawing.prediction_picture import draw_prediction
from bustle.experiments.own_outputs import PREDICTION
from bustle.experiments.pictures import Picture, write_files
from bustle.inference.finding import finding
from bustle.inference.prediction_files import prediction_folder
from bustle.io.raster import as_png


@dataclass(frozen=True, repr=False, eq=False)
class DrawnPrediction:
    """What a model says about one image or volume, with the picture that it saw.

    `prediction` holds everything (see `bustle.core.types.Prediction`), `picture` the pixels uint8 `C H W` or
    `C D H W` and their geometry. In a notebook it is shown as the picture with the outlines drawn in.
    """

    prediction: Prediction
    picture: Picture

    @property
    def decision(self) -> str | None:
        """The answer's decision, of a model without a rule the most probable class; None without classes."""
        return self.prediction.decision

    @property
    def answer(self) -> Answer | None:
        """The decision with calibrated probabilities, the classes that stay possible, and what moved it.

        None without a rule; `moved_by` is empty where the rule looks at no descriptors.
        """
        return self.prediction.answer

    @property
    def class_probabilities(self) -> Mapping[str, float] | None:
        """The network's own probability (0..1) by class name, together 1; None of a model without classes."""
        return self.prediction.class_probabilities

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Where lesions are, bool `H W` or `D H W` on the image's own grid; None of a model that outlines nothing."""
        drawn = self.prediction.segmentation
        return None if drawn is None else drawn.mask

    @property
    def probability(self) -> NDArray[np.float32] | None:
        """The probability (0..1) that a pixel is lesion, float32 of the mask's shape."""
        drawn = self.prediction.segmentation
        return None if drawn is None else drawn.probability

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """The measured lesions of an image, the largest first; a volume has `candidates`."""
        drawn = self.prediction.segmentation
        return drawn.lesions if isinstance(drawn, ImageSegmentation) else ()

    @property
    def candidates(self) -> tuple[LesionCandidate, ...]:
        """The places of a volume that were looked at, the surest first; an image has `lesions`."""
        drawn = self.prediction.segmentation
        return drawn.candidates if isinstance(drawn, VolumeSegmentation) else ()

    @property
    def explanations(self) -> Mapping[ExplanationMethod, Explanation]:
        """The maps that were asked for, by method: what moved the answer, on the image's own grid."""
        return {found.method: found for found in self.prediction.explanations}

    @property
    def similar_cases(self) -> tuple[SimilarCase, ...]:
        """The most similar training cases, the nearest first; of a package that keeps them."""
        return self.prediction.similar_cases

    def heat_map(self, method: ExplanationMethod) -> NDArray[np.uint8]:
        """RGB `H W 3`: a map in colours on the image, or on three cuts of a volume. Raises `KeyError` without it."""
        return np.ascontiguousarray(self._heat(self.explanations[method]).transpose(1, 2, 0))

    def overlay(self) -> NDArray[np.uint8]:
        """RGB `H W 3`: the image with the outlines and the classes at its own size, or three cuts of a volume."""
        return np.ascontiguousarray(draw_prediction(self.picture.image, self.prediction).transpose(1, 2, 0))

    def save(self, out: str | Path, *, save_probability: bool = False) -> Path:
        """Write the files of `bustle predict` into `out/<case_id>` and return that folder.

        Raises `InputError` where it cannot be written, and where that folder holds anything but such files.
        """
        folder = given_path(out)
        with claim_folder(prediction_folder(folder, self.prediction.case_id), PREDICTION) as claim:
            claim.refuse_inputs([] if self.picture.file is None else [self.picture.file])
            claim.refuse_foreign()
            claim.begin(clear=False)
            return write_files(self.prediction, self.picture, folder, save_probability=save_probability)

    def __repr__(self) -> str:
        return f"<{', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the overlay, the explanations' maps, and the facts below them."""
        moved = [] if self.answer is None else map(str, self.answer.moved_by)
        similar = f"most like {', '.join(map(str, self.similar_cases))}" if self.similar_cases else ""
        facts = escape(", ".join([*self._facts(), *moved, *filter(None, [similar])]))
        shown = _shown(draw_prediction(self.picture.image, self.prediction), text=facts)
        for found in self.prediction.explanations:
            shown += _shown(self._heat(found), text=escape(found.meaning.title))
        return f"<figure>{shown}<figcaption>{facts}</figcaption></figure>"

    def _heat(self, found: Explanation) -> NDArray[np.uint8]:
        return draw_explanation(self.picture.image, self.prediction, found)

    def _facts(self) -> list[str]:
        return [self.prediction.case_id, *filter(None, [finding(self.prediction)])]


def _shown(picture: NDArray[np.uint8], *, text: str) -> str:
    encoded = base64.b64encode(as_png(picture)).decode("ascii")
    return f'<img src="data:image/png;base64,{encoded}" alt="{text}" style="max-width: 100%">'
