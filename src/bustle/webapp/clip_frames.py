"""The frames of a clip's case: their pixels, what the model says of each, and one made a case of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bustle.core.study_layout import ClipLayout
from bustle.data.prepared.lesion_measures import outer_contour
from bustle.inference.decision import MALIGNANT
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import prediction_folder
from bustle.io.raster import write_png
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer, follow_lesions
from bustle.reading.frame_log import read_frames
from bustle.reading.frame_record import FrameRecord, SeenLesion
from bustle.reading.read_clips import read_clip_record
from bustle.webapp.clip_messages import ClipInfo, ClipLesionInfo, FrameInfo
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.dropped_file import dropped_image, pick_dropped
from bustle.webapp.named_locks import NamedLocks
from bustle.webapp.read_drop import DropReader
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.tables import Case, DroppedFile, now

MOST_OPEN = 8
"""Clips whose files have been looked into; their pixels are decoded when they are asked for."""


class OpenClips:
    """Clips that are being looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clips: OrderedDict[str, Clip] = OrderedDict()

    def clip(self, case: Case, upload: Path) -> Clip:
        """The clip of a case in its dropped file. Raises `InputError` where the file is gone or damaged."""
        with self._lock:
            if case.id not in self._clips:
                picked = pick_dropped(upload, hear=lambda text: None)
                self._clips[case.id] = next(clip for clip in picked.clips if clip.name == case.folder)
            self._clips.move_to_end(case.id)
            while len(self._clips) > MOST_OPEN:
                self._clips.popitem(last=False)
            return self._clips[case.id]


def clip_info(case: Case, clip: Clip, data: DataFolder, session: Session) -> ClipInfo:
    """All that is known of a clip's frames. Raises `InputError` where the files of its answer are damaged."""
    layout = ClipLayout(prediction_folder(data.case(case.id).answer, case.folder))
    answer = read_clip_record(layout.answer).answer
    made = select(Case.frame, Case.id).where(Case.clip_id == case.id)
    cases = {frame: case_id for frame, case_id in session.execute(made) if frame is not None}
    frames = [_frame(record, numbers, cases) for record, numbers in follow_lesions(read_frames(layout.records))]
    unread = {frame.number for frame in frames if frame.problem is not None}
    shown = next((number for number in clip.numbers if number not in unread), clip.numbers[0])
    height, width = clip.frame(shown)[0].shape[1:]
    spacing = clip.spacing
    return ClipInfo(
        unit=clip.unit,
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        width=width,
        height=height,
        frames=frames,
        lesions=[
            ClipLesionInfo(
                number=lesion.number,
                decision=None if lesion.verdict is None else lesion.verdict.decision,
                malignant=None if lesion.verdict is None else lesion.verdict.malignant_median,
                frames=len(lesion.sightings),
                best=lesion.best.frame,
                why=lesion.best.why,
                area=lesion.best.area,
                long_axis=lesion.best.long_axis,
                short_axis=lesion.best.short_axis,
            )
            for lesion in answer.lesions
        ],
        decided_by=answer.decided_by,
        best=_best(answer, otherwise=clip.numbers[len(clip.numbers) // 2]),
    )


def frame_case(
    case: Case,
    number: int,
    *,
    clip: Clip,
    file: DroppedFile,
    reader: DropReader,
    locks: NamedLocks,
) -> Case:
    """The case of one frame, made and read where it is not there: from then on it is like an image's.

    Whoever asks for the same frame at once waits in `locks` and gets the same case. Raises `HTTPException` for a
    frame that cannot be read, and where its clip was deleted meanwhile.
    """
    case_id = hashlib.sha256(f"{case.id}/{number}".encode()).hexdigest()[:20]
    with locks.of(case_id):
        with reader.sessions() as session:
            found = session.get(Case, case_id)
            if found is not None:
                return found
        image = _image(case, number, clip=clip, data=reader.data, file=file, case_id=case_id)
        row = Case(
            id=case_id,
            drop_id=case.drop_id,
            file_id=case.file_id,
            number=case.number,
            made=now(),
            name=f"{case.name}: frame {number}",
            folder=image.name,
            kind="image",
            is_dicom=image.dicom is not None,
            patient=case.patient,
            clip_id=case.id,
            frame=number,
            width=0,
            height=0,
            version=0,
        )
        reader.read_image(image, row)
        if row.problem is not None:
            raise HTTPException(422, row.problem)
        try:
            with reader.sessions.begin() as session:
                session.add(row)
        except IntegrityError:  # without its dropped file
            reader.data.remove_case(case_id)
            raise Refusal(Why.NO_CASE) from None
    with reader.sessions() as session:
        return session.get_one(Case, case_id)


def _image(case: Case, number: int, *, clip: Clip, data: DataFolder, file: DroppedFile, case_id: str) -> InputImage:
    """The frame as an image: of a DICOM file its own, of a video its pixels in a file beside the case's answer."""
    upload = data.upload(file.drop_id, file.stored)
    if clip.dicom is not None:
        return dropped_image(upload, dataclasses.replace(clip.dicom, frame=number).name)
    path = data.case(case_id).path / "frame.png"
    pixels, _ = clip.frame(number)
    write_png(path, pixels)
    return InputImage(path, f"{case.folder}-frame-{number}")


def _frame(record: FrameRecord, numbers: tuple[int, ...], cases: Mapping[int, str]) -> FrameInfo:
    return FrameInfo(
        number=record.frame,
        decision=record.decision,
        malignant=record.probabilities.get(MALIGNANT),
        outlines=[_outline(lesion) for lesion in record.lesions],
        lesions=list(numbers),
        problem=record.problem,
        case=cases.get(record.frame),
    )


def _outline(lesion: SeenLesion) -> list[tuple[float, float]]:
    """Its contour in pixels of the frame, x before y."""
    mask = lesion.mask
    contour = outer_contour(mask.pixels)
    return [(float(x) + mask.box.x_start, float(y) + mask.box.y_start) for y, x in contour]


def _best(answer: ClipAnswer, *, otherwise: int) -> int:
    deciding = next((lesion for lesion in answer.lesions if lesion.number == answer.decided_by), None)
    return otherwise if deciding is None else deciding.best.frame
