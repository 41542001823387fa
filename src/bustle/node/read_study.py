"""The first stage of a job: a received study becomes predictions and result objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.object_formats import ObjectFormat
from bustle.inference.prediction_files import RECORD, prediction_folder
from bustle.inference.prediction_record import read_record
from bustle.inference.predictor import Predictor
from bustle.io.dicom.image import read_dicom
from bustle.jobs.stage import JobInHand, PlainValues, PostponedError
from bustle.node.incoming import Incoming, is_full
from bustle.reading.picking import Picked, pick
from bustle.reading.predict_inputs import PredictedInputs, PredictionRequest, predict_inputs

READ = "read"
MALIGNANT = "malignant"


@dataclass(frozen=True, kw_only=True)
class PartRead:
    """The answer about one image or clip: nothing in it tells whose it is."""

    device: str | None
    decision: str | None
    malignant: float | None


@dataclass(frozen=True, kw_only=True)
class StudyRead:
    """The result of this stage: the answers, how many objects there are, and why other parts were not read."""

    parts: tuple[PartRead, ...]
    objects: int
    unread: tuple[str, ...]


class StudyReader:
    """Reads studies of `incoming` into folders of `out`, with the one model that the process holds."""

    def __init__(self, predictor: Predictor, incoming: Incoming, out: Path, *, formats: tuple[ObjectFormat, ...]):
        self._predictor = predictor
        self._incoming = incoming
        self._out = out
        self._formats = formats

    def folder(self, job: str) -> Path:
        return self._out / job

    def read(self, job: JobInHand) -> PlainValues:
        """Predict a study; what a killed predecessor has finished of it is kept. Returns a `StudyRead` as JSON.

        Raises `InputError` where nothing of it can be read, `PostponedError` where the disk is full.
        """
        study = job.submitted["study"]
        files = [self._incoming.file(study, instance) for instance in job.submitted["instances"]]
        if not any(path.exists() for path in files):
            raise InputError("its images are deleted", remedy="send the study again")
        unread: list[InputError] = []
        try:
            picked = pick([str(path) for path in files if path.exists()])
            if not (picked.images or picked.clips):
                raise picked.unread[0].problem or InputError("holds no image", remedy="leave it out")
            done = predict_inputs(
                lambda: self._predictor,
                picked,
                self.folder(job.id),
                request=PredictionRequest(formats=self._formats, resume=True),
                on_failure=unread.append,
            )
        except InputError as error:
            if is_full(error):
                raise PostponedError("the disk is full") from error
            raise
        if not (done.images or done.clips):
            raise unread[0]
        parts = tuple(_parts(self.folder(job.id), picked, done))
        reasons = tuple(error.in_results() for error in unread)
        return to_mapping(StudyRead(parts=parts, objects=len(done.objects), unread=reasons))


def _parts(out: Path, picked: Picked, done: PredictedInputs) -> Iterator[PartRead]:
    devices: dict[Path, str | None] = {}

    def device(path: Path) -> str | None:
        if path not in devices:
            devices[path] = read_dicom(path).device
        return devices[path]

    for image in picked.images:
        if image.name not in done.failures:
            record = read_record(prediction_folder(out, image.name) / RECORD)
            told = (record.class_probabilities if record.answer is None else record.answer.probabilities) or {}
            yield PartRead(device=device(image.path), decision=record.decision, malignant=told.get(MALIGNANT))
    for clip in picked.clips:
        if clip.name in done.clips:
            verdict = done.clips[clip.name].verdict
            yield PartRead(
                device=device(clip.files[0]),
                decision=None if verdict is None else verdict.decision,
                malignant=None if verdict is None else verdict.malignant_median,
            )
