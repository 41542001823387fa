"""Predict many cases or image files and write their files; what cannot be read is reported and the rest is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from bustle.core.errors import InputError
from bustle.core.explanation import ExplanationMethod
from bustle.core.progress import announce, progress
from bustle.core.types import Case, Prediction
from bustle.experiments.pictures import Picture, read_input, write_files
from bustle.inference.finding import finding
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import check_pictures, prediction_folder, read_prediction, remove_prediction
from bustle.inference.predictor import Item, Predictor
from bustle.io.raster import picture_count
from bustle.io.volume import is_volume

BATCH_SIZE = 8
Source = TypeVar("Source")


@dataclass(frozen=True)
class PredictedImage:
    """The line that a person reads about one image."""

    name: str
    finding: str


@dataclass(frozen=True)
class PredictionRun:
    """What was written, and `(name, error)` for every input that could not be read."""

    predicted: tuple[PredictedImage, ...]
    failures: tuple[tuple[str, InputError], ...]


def predict_files(
    predictor: Predictor,
    images: Sequence[InputImage],
    out: Path,
    *,
    centre: tuple[float, ...] | None = None,
    spacing: tuple[float, ...] | None = None,
    save_probability: bool = False,
    explain: Sequence[ExplanationMethod] = (),
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict image or volume files into `out/<name>`; `on_failure` hears at once of a file that could not be read.

    With `resume` what the same model has already written there is left as it is. `centre` (in voxels) tells where
    the lesion of every volume is. `spacing` (mm, one number or one per axis) replaces what the files say. `explain`
    are methods that the model offers.
    """

    def load(image: InputImage) -> Picture:
        picture = read_input(image, spacing=spacing, centre=centre)
        count = 1 if image.dicom is not None or is_volume(image.path) else picture_count(image.path)
        if count > 1:
            announce(f"bustle: warning: {image.path} holds {count} pictures; only the first is predicted")
        return picture

    asked = {"save_probability": save_probability, "explain": explain, "describe": True}
    work = _Work(predictor, out, load=load, **asked, resume=resume, on_failure=on_failure)
    return work.run(images, names=[image.name for image in images])


def predict_pictures(
    predictor: Predictor,
    pictures: Mapping[str, Callable[[], Picture]],
    out: Path,
    *,
    save_probability: bool = False,
    explain: Sequence[ExplanationMethod] = (),
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict pictures into `out/<name>` as `predict_files` does; each is decoded by what stands under its name."""

    def load(name: str) -> Picture:
        return pictures[name]()

    asked = {"save_probability": save_probability, "explain": explain, "describe": True}
    work = _Work(predictor, out, load=load, **asked, resume=resume, on_failure=on_failure)
    return work.run(list(pictures), names=list(pictures))


def predict_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    out: Path,
    *,
    located: bool = False,
    explain: Sequence[ExplanationMethod] = (),
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> PredictionRun:
    """Predict cases of a data set into `out/<case_id>`, to be scored; their overlays show the true contour too.

    `located`: the model is told where a volume's largest true lesion is; one without lesions it must still search.
    """

    def load(case: Case) -> Picture:
        return picture_of_case(case, located=located)

    asked = {"save_probability": False, "explain": explain, "describe": False}
    work = _Work(predictor, out, load=load, **asked, resume=resume, on_failure=on_failure)
    return work.run(cases, names=[case.case_id for case in cases])


def picture_of_case(case: Case, *, located: bool) -> Picture:
    """A decoded case; `located`: with the place of a volume's largest true lesion, where there is one."""
    from bustle.data.prepared.lesion_centres import lesion_centres

    sample = case.load()
    geometry = sample.geometry
    if geometry.spacing is None:
        geometry = dataclasses.replace(geometry, spacing=case.spacing)
    truth, centres = None, []
    if sample.lesion_mask is not None:
        truth = sample.lesion_mask > 0
        centres = lesion_centres(sample.lesion_mask) if located else []
    file = next(iter(case.files), None)
    return Picture(case.case_id, sample.image, geometry, file, truth, centres[0] if centres else None)


class _Work(Generic[Source]):
    """One pass over the inputs: reads lazily, so that only one batch of images, or one volume, is in memory."""

    def __init__(
        self,
        predictor: Predictor,
        out: Path,
        *,
        load: Callable[[Source], Picture],
        save_probability: bool,
        explain: Sequence[ExplanationMethod],
        describe: bool,
        resume: bool,
        on_failure: Callable[[InputError], None] | None,
    ):
        self.predictor = predictor
        self.out = out
        self.load = load
        self.save_probability = save_probability
        self.explain = explain
        self.describe = describe
        self.resume = resume
        self.on_failure = on_failure
        self.failures: list[tuple[str, InputError]] = []
        self.pending: dict[str, Picture] = {}

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
                if not self.resume:
                    remove_prediction(prediction_folder(self.out, name))  # of what the input was before
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

    def _done(self, picture: Picture) -> PredictedImage | None:
        """What stands on the disk, if the same model made it of the same input; None where it is to be made again."""
        folder = prediction_folder(self.out, picture.name)
        try:
            stored = read_prediction(folder)
            probability = self.save_probability and self.predictor.outlines
            check_pictures(folder, probability=probability, explanations=self.explain, channels=stored.channels)
        except InputError:
            return None
        drawn = stored.segmentation
        if self.predictor.outlines and (drawn is None or drawn.network is None):
            return None
        if not set(self.explain) <= set(stored.explained_by):
            return None
        same_model = self.predictor.provenance.same_answers_as(stored.provenance)
        if not same_model or stored.input_sha256 != picture.digest() or stored.centre != picture.centre:
            return None
        return PredictedImage(picture.name, finding(stored))

    def _fitting(self, source: Source) -> Picture:
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
        if self.explain:
            prediction = self.predictor.explained(prediction, picture.image, methods=self.explain)
        asked = {"save_probability": self.save_probability, "describe": self.describe}
        write_files(prediction, picture, self.out, **asked)
        return PredictedImage(prediction.case_id, finding(prediction))
