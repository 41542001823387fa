"""Clips from files to answers on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bustle.core.config import LEFT_OUT_AT_DEFAULT, from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, remove_file, write_json
from bustle.core.model_provenance import ModelProvenance
from bustle.core.study_layout import ClipLayout
from bustle.core.types import Geometry
from bustle.inference.prediction_files import prediction_folder
from bustle.inference.predictor import Predictor
from bustle.io.dicom.result_content import Algorithm
from bustle.io.dicom.result_identity import tracking_uid
from bustle.io.raster import MIN_SIDE
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer, answer_clip
from bustle.reading.clip_pictures import write_clip_pictures
from bustle.reading.frame_log import FrameLog, LogHeader, read_frames
from bustle.reading.predict_clip import predict_clip
from bustle.reading.tracking import Tracking


@dataclass(frozen=True, kw_only=True)
class ReadClips:
    """The answers by the clips' names, and why the others could not be read at all."""

    answers: Mapping[str, ClipAnswer]
    failures: Mapping[str, InputError]


@dataclass(frozen=True, kw_only=True)
class ClipRecord:
    """The content of `clip.json`: the answer, how lesions were followed, and by which model the frames were read.

    `lesion_uids`, by the lesions' numbers, are the Tracking UIDs of a DICOM clip in result objects.
    """

    answer: ClipAnswer
    lesion_uids: Mapping[str, str] = field(default_factory=dict, metadata=LEFT_OUT_AT_DEFAULT)
    tracking: Tracking
    input_sha256: str
    provenance: ModelProvenance


def read_clips(
    predictor: Predictor,
    clips: Sequence[Clip],
    out: Path,
    *,
    algorithm: Algorithm,
    resume: bool = False,
    on_failure: Callable[[InputError], None] | None = None,
) -> ReadClips:
    """Read each clip into `out/<name>`.

    `algorithm` is the predictor as result objects name it, and what was asked for that changes its answers. With
    `resume` frames that the same model has read there are kept, and so is what was made of all of them.
    `on_failure` hears at once of a frame that cannot be read, and of a clip that cannot: its files are gone, or the
    model takes volumes. Raises `InputError` where nothing can be written.
    """
    answers: dict[str, ClipAnswer] = {}
    failures: dict[str, InputError] = {}
    for clip in clips:
        try:
            predictor.check(Geometry((MIN_SIDE, MIN_SIDE), spacing=clip.spacing))
            digest = clip.digest()
        except (InputError, OSError) as error:
            failures[clip.name] = _said(error, clip)
            if on_failure is not None:
                on_failure(failures[clip.name])
            continue
        layout = ClipLayout(prediction_folder(out, clip.name))
        answers[clip.name] = _read(
            predictor, clip, layout, digest=digest, algorithm=algorithm, resume=resume, on_failure=on_failure
        )
    return ReadClips(answers=answers, failures=failures)


def _said(error: InputError | OSError, clip: Clip) -> InputError:
    if isinstance(error, InputError):
        return InputError(error.problem, remedy=error.remedy, path=clip.at_fault)
    return InputError(f"cannot be read ({error.strerror})", remedy="restore its files", path=clip.at_fault)


def _read(
    predictor: Predictor,
    clip: Clip,
    layout: ClipLayout,
    *,
    digest: str,
    algorithm: Algorithm,
    resume: bool,
    on_failure: Callable[[InputError], None] | None,
) -> ClipAnswer:
    header = LogHeader(
        clip=clip.name,
        frames=len(clip.numbers),
        unit=clip.unit,
        input_sha256=digest,
        provenance=predictor.provenance,
    )
    log = FrameLog(layout.records, header, numbers=clip.numbers)
    done = log.done() if resume else 0
    if done == len(clip.numbers):
        finished = _finished(layout, header)
        if finished is not None and finished.lesion_uids == _lesion_uids(clip, finished.answer, algorithm):
            return finished.answer
    for path in (layout.answer, layout.contact_sheet, layout.film):
        remove_file(path)
    if done:
        log.keep(done)
    else:
        log.begin()
    predict_clip(clip, log, predictor=predictor, done=done, on_failure=on_failure)
    answer = answer_clip(read_frames(layout.records), name=clip.name, unit=clip.unit)
    write_clip_pictures(clip, answer, records=layout.records, contact_sheet=layout.contact_sheet, film=layout.film)
    record = ClipRecord(
        answer=answer,
        lesion_uids=_lesion_uids(clip, answer, algorithm),
        tracking=Tracking(),
        input_sha256=digest,
        provenance=predictor.provenance,
    )
    write_json(layout.answer, to_mapping(record))
    return answer


def _lesion_uids(clip: Clip, answer: ClipAnswer, algorithm: Algorithm) -> dict[str, str]:
    picture = clip.dicom
    if picture is None:
        return {}
    field_number = picture.field.number if picture.fields > 1 else None
    return {
        str(lesion.number): tracking_uid(
            picture.sop_uid, field=field_number, number=lesion.number, algorithm=algorithm
        )
        for lesion in answer.lesions
    }


def _finished(layout: ClipLayout, header: LogHeader) -> ClipRecord | None:
    """What stands there, if it was made of these frames in this way."""
    try:
        record = read_clip_record(layout.answer)
    except InputError:
        return None
    same = record.input_sha256 == header.input_sha256 and record.tracking == Tracking()
    return record if same and record.provenance.same_answers_as(header.provenance) else None


def read_clip_record(path: Path) -> ClipRecord:
    """Read `clip.json`. Raises `InputError` for a file that is missing or damaged."""
    try:
        return from_mapping(ClipRecord, read_json(path), where="clip")
    except InputError as error:
        error.path = path
        raise
