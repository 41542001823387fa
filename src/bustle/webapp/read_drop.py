"""The work behind a drop: every picture and clip in its files predicted, each into a folder and a row of its own.

It may be cut short and begun again at any place: a case's folder and row have names made of what they are about, and
what is there already is kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from bustle.core.errors import InputError
from bustle.core.progress import heard_by
from bustle.core.study_layout import ClipLayout
from bustle.drawing.outlines import as_canvas
from bustle.experiments.pictures import read_input
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import RECORD, prediction_folder
from bustle.inference.prediction_record import PredictionRecord, read_record
from bustle.inference.predictor import Predictor
from bustle.io.dicom.pseudonyms import salted_with
from bustle.io.raster import read_image, write_png
from bustle.io.volume import is_volume
from bustle.jobs.stage import JobInHand, PlainValues, PostponedError
from bustle.reading.clip import Clip
from bustle.reading.picking import Picked, pick
from bustle.reading.predict_inputs import PredictionRequest, predict_inputs
from bustle.webapp.data_folder import CaseFolder, DataFolder
from bustle.webapp.dropped_file import is_spent, pick_dropped
from bustle.webapp.full_disk import is_full_disk
from bustle.webapp.pseudonym_salt import page_salt
from bustle.webapp.refusals import Why
from bustle.webapp.shown_volume import write_outlined, write_shown
from bustle.webapp.tables import Case, CaseKind, Drop, DroppedFile, now

THUMBNAIL_WIDTH = 160
EXAMPLE = Path(__file__).parent / "demo" / "images" / "case043.png"
MALIGNANT = "malignant"
IMAGE_REQUEST = PredictionRequest(save_probability=True, explain=(), resume=True)
CLIP_REQUEST = VOLUME_REQUEST = PredictionRequest(resume=True)
NO_VOLUME_MODEL = "no model for volumes is in use: this one is shown and not read; start with --volume-model"


@dataclass(frozen=True)
class DropReader:
    """Reads drops with one model."""

    sessions: sessionmaker[Session]
    data: DataFolder
    predictor: Predictor
    volumes: Predictor | None = None
    """Reads volumes; without one they are shown and not read."""

    def read(self, job: JobInHand) -> PlainValues:
        """The work of the jobs' one stage. What is wrong with a file is written to its row, and the rest is done.

        Raises `PostponedError` for what is wrong with the server, such as a full disk: the files may be good.
        """
        with self.sessions() as session:
            drop = session.get(Drop, job.submitted["drop"])
            files = [] if drop is None else list(drop.files)
        try:
            for file in files:
                if file.problem is None:
                    self._read_file(file)
                self._remove_if_spent(file)
        except DBAPIError as error:
            if is_full_disk(error):
                raise PostponedError(Why.DISK_FULL.words) from error
            raise
        return {"files": len(files)}

    def warm_up(self) -> None:
        """Read an example picture and keep nothing: the first one takes longer, and nobody needs to wait for it."""
        with tempfile.TemporaryDirectory(prefix="bustle-") as folder, heard_by(lambda text: None):
            picked = pick([str(EXAMPLE)])
            predict_inputs(lambda: self.predictor, picked, Path(folder) / "answer", request=IMAGE_REQUEST)

    def _read_file(self, file: DroppedFile) -> None:
        path = self.data.upload(file.drop_id, file.stored)
        remarks: list[str] = []
        problem, picked = None, None
        try:
            with salted_with(page_salt(self.data)):
                picked = pick_dropped(path, hear=lambda text: remarks.append(_remark(text, path)))
        except InputError as error:
            if isinstance(error.__cause__, OSError):
                raise PostponedError(told(error)) from error
            problem = told(error)
        items = [] if picked is None else _items(picked)
        with self.sessions.begin() as session:
            row = session.get_one(DroppedFile, file.id)
            row.expected, row.problem, row.remarks = len(items), problem, remarks
        for number, item in enumerate(items):
            self._read_item(file, item, number)

    def read_image(self, image: InputImage, row: Case) -> None:
        """Predict one image into the folder of its case, and write to the row what the worklist says of it."""
        item = _Item(image.name, "image", _only_image(image), True, image.dicom is not None, row.patient)
        with heard_by(lambda text: None):
            self._predict(item, row, self.data.case(row.id))
        self.data.keep(self.data.case(row.id).path)

    def _remove_if_spent(self, file: DroppedFile) -> None:
        """A file that holds nothing goes, and so does one whose cases were deleted before the last of them was read.

        Why nothing was found in it stays to be told.
        """
        with self.sessions.begin() as session:
            row = session.get_one(DroppedFile, file.id)
            if not is_spent(session, row):
                return
            if row.deleted:
                session.delete(row)
        self.data.remove_upload(file.drop_id, file.stored)

    def _read_item(self, file: DroppedFile, item: _Item, number: int) -> None:
        case_id = hashlib.sha256(f"{file.id}/{item.name}".encode()).hexdigest()[:20]
        with self.sessions() as session:
            is_deleted = case_id in session.get_one(DroppedFile, file.id).deleted
            if is_deleted or session.get(Case, case_id) is not None:
                return
        folder = self.data.case(case_id)
        row = Case(
            id=case_id,
            drop_id=file.drop_id,
            file_id=file.id,
            number=file.number * 100_000 + number,
            made=now(),
            name=item.title(file.name),
            folder=item.name,
            kind=item.kind,
            is_dicom=item.is_dicom,
            patient=item.patient,
            width=0,
            height=0,
            version=0,
        )
        try:
            with heard_by(lambda text: None):
                self._predict(item, row, folder)
            self.data.keep(folder.path)
        except InputError as error:  # what is wrong with the file, `_predict` has written to the row
            raise PostponedError(told(error)) from error
        with self.sessions.begin() as session:
            session.add(row)

    def _predict(self, item: _Item, row: Case, folder: CaseFolder) -> None:
        """Write the case's files, and what the worklist says of it; of what cannot be read, why.

        Raises `InputError` for what cannot be written.
        """
        if item.kind == "volume":
            self._predict_volume(item, row, folder)
            return
        request = CLIP_REQUEST if item.kind == "clip" else IMAGE_REQUEST
        done = predict_inputs(lambda: self.predictor, item.picked, folder.answer, request=request)
        for error in done.failures.values():
            row.kind, row.problem = "unread", told(error)
            return
        if item.kind == "clip":
            verdict = done.clips[item.name].verdict
            picture = read_image(ClipLayout(folder.answer / item.name).contact_sheet)
            if verdict is not None:
                row.decision, row.malignant = verdict.decision, verdict.malignant_median
        else:
            record = read_record(prediction_folder(folder.answer, item.name) / RECORD)
            picture = read_input(item.picked.images[0]).image
            row.decision, row.malignant = record.decision, probabilities_of(record).get(MALIGNANT)
        row.height, row.width = picture.shape[1:]
        write_png(folder.picture, picture)
        write_png(folder.thumbnail, thumbnail(picture))

    def _predict_volume(self, item: _Item, row: Case, folder: CaseFolder) -> None:
        """As `_predict`; a volume that cannot be predicted is shown all the same."""
        try:
            picture = read_input(item.picked.images[0])
        except InputError as error:
            row.kind, row.problem = "unread", told(error)
            return
        write_shown(folder, picture)
        middle = np.ascontiguousarray(picture.image[:, picture.image.shape[1] // 2])
        del picture  # its hundreds of megabytes are read again where a model looks at them
        row.height, row.width = middle.shape[1:]
        write_png(folder.picture, middle)
        write_png(folder.thumbnail, thumbnail(middle))
        volumes = self.volumes
        if volumes is None:
            row.problem = NO_VOLUME_MODEL
            return
        done = predict_inputs(lambda: volumes, item.picked, folder.answer, request=VOLUME_REQUEST)
        for error in done.failures.values():
            row.problem = told(error)
            return
        record = read_record(prediction_folder(folder.answer, item.name) / RECORD)
        row.decision, row.malignant = record.decision, probabilities_of(record).get(MALIGNANT)
        write_outlined(folder, item.name)


@dataclass(frozen=True)
class _Item:
    """What becomes one case: `picked` holds just this image or clip; `alone`: its file holds nothing else."""

    name: str
    kind: CaseKind
    picked: Picked
    alone: bool
    is_dicom: bool
    patient: str | None

    def title(self, file_name: str) -> str:
        """What a person calls it: its file's name, and which of several in that."""
        return file_name if self.alone else f"{file_name}: {self.name}"


def _items(picked: Picked) -> list[_Item]:
    images: Sequence[InputImage] = (*picked.images, *picked.unread)
    alone = len(images) + len(picked.clips) == 1
    found = []
    for image in images:
        kind = _kind(image)
        places = {image.name: picked.places[image.name]} if image.name in picked.places else {}
        only = dataclasses.replace(_only_image(image), places=places)
        found.append(_Item(image.name, kind, only, alone, image.dicom is not None, _patient(picked, image.name)))
    return found + [
        _Item(clip.name, "clip", _only_clip(clip), alone, False, clip.place.patient) for clip in picked.clips
    ]


def _patient(picked: Picked, name: str) -> str | None:
    place = picked.places.get(name)
    return None if place is None else place.patient


def _kind(image: InputImage) -> CaseKind:
    if image.problem is not None:
        return "unread"
    is_stack = is_volume(image.path) if image.dicom is None else image.dicom.frame is None
    return "volume" if is_stack else "image"


def _only_image(image: InputImage) -> Picked:
    return Picked(images=(image,), clips=(), places={}, unread=())


def _only_clip(clip: Clip) -> Picked:
    return Picked(images=(), clips=(clip,), places={}, unread=())


def probabilities_of(record: PredictionRecord) -> Mapping[str, float]:
    """Calibrated where the model has a rule for that; empty of a model without classes."""
    return (record.class_probabilities if record.answer is None else record.answer.probabilities) or {}


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture `C H W` made small for the worklist, RGB `3 h w`."""
    canvas = as_canvas(picture, width=min(THUMBNAIL_WIDTH, picture.shape[2]))
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))


def told(error: InputError) -> str:
    """What is wrong and what to do about it, without the place on this machine, which means nothing to a person."""
    return f"{error.problem}; {error.remedy}"


def _remark(text: str, path: Path) -> str:
    """An announcement without the place on this machine."""
    return text.removeprefix("bustle: ").removeprefix("warning: ").replace(f"{path}: ", "").replace(f"{path} ", "")
