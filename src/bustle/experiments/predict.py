"""Predict many cases or image files and write their files; what cannot be read is reported and the rest is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.core.types import Case, Prediction
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import prediction_folder, write_prediction
from bustle.inference.predictor import Item, Predictor
from bustle.io.raster import read_image

BATCH_SIZE = 8
Source = TypeVar("Source")


@dataclass(frozen=True)
class PredictedImage:
    """The line that a person reads about one image; `lesions` None for a network that draws no mask."""

    name: str
    decision: str | None
    probability: float | None
    lesions: int | None


@dataclass(frozen=True)
class PredictionRun:
    """What was written, and `(name, error)` for every input that could not be read."""

    predicted: tuple[PredictedImage, ...]
    failures: tuple[tuple[str, InputError], ...]


class _Picture(NamedTuple):
    """What is needed of one input: name, image uint8 `C H W`, spacing in mm, and the true mask where it is known."""

    name: str
    image: NDArray[np.uint8]
    spacing: tuple[float, ...] | None
    truth: NDArray[np.bool_] | None


def predict_files(
    predictor: Predictor,
    images: Sequence[InputImage],
    out: Path,
    *,
    save_probability: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict image files into `out/<name>`; `on_failure` hears at once of a file that could not be read."""

    def load(image: InputImage) -> _Picture:
        return _Picture(image.name, read_image(image.path), None, None)

    work = _Work(predictor, out, load=load, save_probability=save_probability, on_failure=on_failure)
    return work.run(images, names=[image.name for image in images])


def predict_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    out: Path,
    *,
    save_probability: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict cases of a data set into `out/<case_id>`; their overlays show the true contour too."""

    def load(case: Case) -> _Picture:
        sample = case.load()
        truth = None if sample.lesion_mask is None else sample.lesion_mask > 0
        return _Picture(case.case_id, sample.image, sample.geometry.spacing or case.spacing, truth)

    work = _Work(predictor, out, load=load, save_probability=save_probability, on_failure=on_failure)
    return work.run(cases, names=[case.case_id for case in cases])


class _Work(Generic[Source]):
    """One pass over the inputs: reads lazily, so that only one batch of images is in memory."""

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        *,
        load: Callable[[Source], _Picture],
        save_probability: bool,
        on_failure: Callable[[InputError], None] | None,
    ):
        self.predictor = predictor
        self.out = out
        self.load = load
        self.save_probability = save_probability
        self.on_failure = on_failure
        self.failures: list[tuple[str, InputError]] = []
        self.pending: dict[str, _Picture] = {}

    def run(self, sources: Sequence[Source], *, names: Sequence[str]) -> PredictionRun:
        for name in names:
            prediction_folder(self.out, name)  # refuse a bad name before any work is done
        items = self._items(sources, names)
        predicted = [
            self._write(prediction) for prediction in self.predictor.predict_many(items, batch_size=BATCH_SIZE)
        ]
        return PredictionRun(tuple(predicted), tuple(self.failures))

    def _items(self, sources: Sequence[Source], names: Sequence[str]) -> Iterator[Item]:
        pairs = zip(sources, names, strict=True)
        for source, name in progress(pairs, description="predict", total=len(sources), unit="image"):
            try:
                picture = self.load(source)
            except InputError as error:
                self.failures.append((name, error))
                if self.on_failure is not None:
                    self.on_failure(error)
                continue
            self.pending[name] = picture
            yield name, picture.image, picture.spacing

    def _write(self, prediction: Prediction) -> PredictedImage:
        picture = self.pending.pop(prediction.case_id)
        write_prediction(
            prediction,
            prediction_folder(self.out, prediction.case_id),
            image=picture.image,
            truth=picture.truth,
            save_probability=self.save_probability,
        )
        classes = prediction.class_probabilities
        return PredictedImage(
            name=prediction.case_id,
            decision=prediction.decision,
            probability=None if classes is None else max(classes.values()),
            lesions=None if prediction.mask is None else len(prediction.lesions),
        )
