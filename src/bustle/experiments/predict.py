"""Predict many cases or image files and write their files; what cannot be read is reported and the rest is done."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.progress import progress
from bustle.core.types import Case, Geometry, Prediction
from bustle.drawing.overlay import draw_overlay
from bustle.drawing.volume_cuts import draw_cuts
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import has_probability, prediction_folder, read_prediction, write_prediction
from bustle.inference.predictor import Item, Predictor
from bustle.io.raster import read_image
from bustle.io.volume import is_volume, read_volume

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
    """What is needed of one input: name, image uint8 `C *S`, geometry, the true mask where it is known.

    `file` is the image's, None where it was generated. `centre` says where a volume's lesion is, for a prediction
    that is told.
    """

    name: str
    image: NDArray[np.uint8]
    geometry: Geometry
    file: Path | None
    truth: NDArray[np.bool_] | None = None
    centre: tuple[float, ...] | None = None


def predict_files(
    predictor: Predictor,
    images: Sequence[InputImage],
    out: Path,
    *,
    centre: tuple[float, ...] | None = None,
    spacing: tuple[float, ...] | None = None,
    save_probability: bool = False,
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict image or volume files into `out/<name>`; `on_failure` hears at once of a file that could not be read.

    With `resume` what the same model has already written there is left as it is. `centre` (in voxels) tells where
    the lesion of every volume is. `spacing` (mm, one number or one per axis) replaces what the files say.
    """

    def load(image: InputImage) -> _Picture:
        pixels, geometry = _read(image.path, spacing)
        return _Picture(image.name, pixels, geometry, image.path, centre=centre)

    work = _Work(predictor, out, load=load, save_probability=save_probability, resume=resume, on_failure=on_failure)
    return work.run(images, names=[image.name for image in images])


def predict_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    out: Path,
    *,
    located: bool = False,
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict cases of a data set into `out/<case_id>`; their overlays show the true contour too.

    `located`: the model is told where a volume's largest true lesion is; one without lesions it must still search.
    """
    from bustle.data.prepared.lesion_centres import lesion_centres

    def load(case: Case) -> _Picture:
        sample = case.load()
        geometry = sample.geometry
        if geometry.spacing is None:
            geometry = dataclasses.replace(geometry, spacing=case.spacing)
        truth, centres = None, []
        if sample.lesion_mask is not None:
            truth = sample.lesion_mask > 0
            centres = lesion_centres(sample.lesion_mask) if located and geometry.dims == 3 else []
        file = next(iter(case.files), None)
        return _Picture(case.case_id, sample.image, geometry, file, truth, centres[0] if centres else None)

    work = _Work(predictor, out, load=load, save_probability=False, resume=resume, on_failure=on_failure)
    return work.run(cases, names=[case.case_id for case in cases])


def _read(path: Path, spacing: tuple[float, ...] | None) -> tuple[NDArray[np.uint8], Geometry]:
    if is_volume(path):
        voxels, geometry = read_volume(path, spacing=spacing and _per_axis(spacing, 3, path=path))
        return voxels[None], geometry
    image = read_image(path)
    return image, Geometry(image.shape[1:], spacing=spacing and _per_axis(spacing, 2, path=path))


def _per_axis(spacing: tuple[float, ...], dims: int, *, path: Path) -> tuple[float, ...]:
    if len(spacing) not in (1, dims):
        raise InputError(
            f"has {dims} axes, --spacing {len(spacing)} numbers",
            remedy="give one number, or row and column of an image, slice, row and column of a volume",
            path=path,
        )
    return spacing * dims if len(spacing) == 1 else spacing


class _Work(Generic[Source]):
    """One pass over the inputs: reads lazily, so that only one batch of images, or one volume, is in memory."""

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        *,
        load: Callable[[Source], _Picture],
        save_probability: bool,
        resume: bool,
        on_failure: Callable[[InputError], None] | None,
    ):
        self.predictor = predictor
        self.out = out
        self.load = load
        self.save_probability = save_probability
        self.resume = resume
        self.on_failure = on_failure
        self.failures: list[tuple[str, InputError]] = []
        self.pending: dict[str, _Picture] = {}

    def run(self, sources: Sequence[Source], *, names: Sequence[str]) -> PredictionRun:
        for name in names:
            prediction_folder(self.out, name)  # refuse a bad name before any work is done
        lines: dict[str, PredictedImage] = {}
        for prediction in self.predictor.predict_many(self._items(sources, names, lines), batch_size=BATCH_SIZE):
            lines[prediction.case_id] = self._write(prediction)
            del prediction  # of a volume, hundreds of megabytes that the next one needs
        return PredictionRun(tuple(lines[name] for name in names if name in lines), tuple(self.failures))

    def _items(
        self, sources: Sequence[Source], names: Sequence[str], lines: dict[str, PredictedImage]
    ) -> Iterator[Item]:
        pairs = zip(sources, names, strict=True)
        for source, name in progress(pairs, description="predict", total=len(sources), unit="image"):
            try:
                picture = self._fitting(source)
            except InputError as error:
                self.failures.append((name, error))
                if self.on_failure is not None:
                    self.on_failure(error)
                continue
            done = self._done(picture) if self.resume else None
            if done is not None:
                lines[name] = done
                continue
            self.pending[name] = picture
            yield Item(name, picture.image, picture.geometry, picture.centre)
            del picture

    def _done(self, picture: _Picture) -> PredictedImage | None:
        """What stands on the disk, if the same model made it of the same input; None where it is to be made again."""
        folder = prediction_folder(self.out, picture.name)
        try:
            stored = read_prediction(folder)
        except InputError:
            return None
        same_model = _without_runtime(stored.provenance) == _without_runtime(to_mapping(self.predictor.provenance))
        if not same_model or stored.input_sha256 != _digest(picture) or stored.centre != picture.centre:
            return None
        if self.save_probability and not has_probability(folder):
            return None
        lesions = None if stored.mask is None else stored.lesions
        return _line(picture.name, stored.class_probabilities, stored.decision, lesions)

    def _fitting(self, source: Source) -> _Picture:
        """The decoded input; raises `InputError` for a damaged one, and for one that the model does not take."""
        picture = self.load(source)
        try:
            self.predictor.check(picture.geometry, centre=picture.centre)
        except InputError as error:
            error.path = picture.file
            raise
        return picture

    def _write(self, prediction: Prediction) -> PredictedImage:
        picture = self.pending.pop(prediction.case_id)
        folder = prediction_folder(self.out, prediction.case_id)
        write_prediction(
            prediction,
            folder,
            overlay=_overlay(picture, prediction),
            save_probability=self.save_probability,
            input_sha256=_digest(picture),
        )
        lesions = None
        if prediction.mask is not None:
            drawn = sum(candidate.voxels > 0 for candidate in prediction.candidates)
            lesions = drawn if prediction.geometry.dims == 3 else len(prediction.lesions)
        return _line(prediction.case_id, prediction.class_probabilities, prediction.decision, lesions)


def _without_runtime(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What says which model it was: another library, or version of it, gives the same answers."""
    return {name: value for name, value in provenance.items() if name != "runtime"}


def _digest(picture: _Picture) -> str:
    """Stands for the pixels and what is known of their size."""
    digest = hashlib.sha256(np.ascontiguousarray(picture.image).data)
    digest.update(repr((picture.image.shape, picture.geometry.spacing)).encode())
    return digest.hexdigest()


def _overlay(picture: _Picture, prediction: Prediction) -> NDArray[np.uint8]:
    """A picture for people: the image with contours, or three cuts through a volume."""
    spacing = prediction.geometry.spacing
    if prediction.geometry.dims == 2 or spacing is None:
        return draw_overlay(picture.image, prediction, truth=picture.truth)
    return draw_cuts(picture.image[0], truth=picture.truth, prediction=prediction.mask, spacing=spacing)


def _line(
    name: str, probabilities: Mapping[str, float] | None, decision: str | None, lesions: int | None
) -> PredictedImage:
    return PredictedImage(
        name=name,
        decision=decision,
        probability=None if probabilities is None else max(probabilities.values()),
        lesions=lesions,
    )
