"""A case as the page shows it: from its rows and the files of its prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer, Decision, MovedBy
from bustle.core.config import to_mapping
from bustle.core.explanation import MEANINGS, ExplanationMethod
from bustle.core.types import Geometry, Lesion
from bustle.data.audit.marks import marks_in
from bustle.data.relations.frame_features import to_grey
from bustle.drawing.heat import heat_layer
from bustle.experiments.pictures import Picture
from bustle.inference.decision import most_probable
from bustle.inference.descriptors.results import LesionDescriptors
from bustle.inference.known_cases import COPY, SEEN
from bustle.inference.picture_remarks import COLOUR, CUT_OFF, FEW_PIXELS, INVERTED, SEEMS_CUT_OFF, TWO_FRAMES
from bustle.inference.prediction_files import RECORD, prediction_folder
from bustle.inference.prediction_record import (
    DescriptorsRecord,
    ExplanationRecord,
    ImageRecord,
    LesionRecord,
    PredictionRecord,
    read_record,
)
from bustle.inference.predictor import Predictor
from bustle.io.dicom.result_content import Algorithm
from bustle.io.raster import read_image, read_map
from bustle.reading.algorithm import algorithm_of
from bustle.reading.redrawn_outline import PredictedImage, Redrawn, made_by
from bustle.webapp.data_folder import CaseFolder, DataFolder
from bustle.webapp.messages import (
    AddendumInfo,
    AnswerInfo,
    CaseDetail,
    CaseStatus,
    CaseSummary,
    ExplanationInfo,
    ExportFormat,
    Flag,
    FlagKind,
    LesionInfo,
    Measured,
    Message,
    Moved,
    ReadingInfo,
    SecondReadingInfo,
)
from bustle.webapp.read_drop import probabilities_of
from bustle.webapp.tables import Base, Case, Reading
from bustle.webapp.told_descriptors import told_descriptors

UNCERTAINTY: ExplanationMethod = "uncertainty"
NO_ULTRASOUND = "no breast ultrasound"
SUSPECTED = "lesion possible"
FLAG_OF_REMARK: Mapping[str, FlagKind] = {
    SEEN: "seen",
    COPY: "copy",
    TWO_FRAMES: "two_frames",
    INVERTED: "inverted",
    FEW_PIXELS: "few_pixels",
    COLOUR: "colour",
    CUT_OFF: "cut_off",
    SEEMS_CUT_OFF: "seems_cut_off",
}
"""The page says them in its own language."""


def summary(case: Case) -> CaseSummary:
    """Its row of the worklist."""
    reading = case.reading
    return CaseSummary.model_validate(
        {
            "id": case.id,
            "drop": case.drop_id,
            "name": case.name,
            "patient": case.patient,
            "kind": case.kind,
            "status": status_of(case),
            "problem": case.problem,
            "decision": case.decision,
            "malignant": case.malignant,
            "verdict": None if reading is None else reading.verdict,
            "birads": None if reading is None else reading.birads,
            "read_again": len(case.second_readings),
            "clip_id": case.clip_id,
            "frame": case.frame,
            "made": case.made,
        }
    )


def status_of(case: Case) -> CaseStatus:
    if case.kind == "unread":
        return "unread"
    if case.reading is None:
        return "new"
    return "read" if case.reading.signed is None else "signed"


def is_answered(case: Case) -> bool:
    """Whether a model has read it as one image or one volume, so that a person can say what they think of that."""
    return case.kind == "image" or (case.kind == "volume" and case.problem is None)


def answer_folder(case: Case, data: DataFolder) -> Path:
    """The prediction's files, of a case that is answered."""
    return prediction_folder(data.case(case.id).answer, case.folder)


def algorithm_of_answer(case: Case, data: DataFolder) -> Algorithm:
    """The model that made the answer, which need not be the one that is in use now."""
    return algorithm_of(made_by(answer_folder(case, data)))


def predicted_image(case: Case, data: DataFolder) -> PredictedImage:
    """The files of an image's case. Raises `InputError` where they are damaged."""
    answer = answer_folder(case, data)
    record = read_record(answer / RECORD)
    image = read_image(data.case(case.id).picture)
    geometry = Geometry(image.shape[1:], spacing=record.geometry.spacing)
    return PredictedImage(answer, Picture(case.folder, image, geometry, None))


def detail(case: Case, data: DataFolder, *, measured: Redrawn | None) -> CaseDetail:
    """All about a case; `measured` is what its reading's own outlines make of it, where there are such."""
    shared = summary(case).model_dump() | {
        "width": case.width,
        "height": case.height,
        "version": case.version,
        "reading": None if case.reading is None else reading_info(case.reading),
        "measured": None if measured is None else measured_info(measured),
        "addenda": [_fields(one, AddendumInfo) for one in case.addenda],
        "second_readings": [_fields(one, SecondReadingInfo) for one in case.second_readings],
    }
    if not is_answered(case):
        nothing = {"answer": None, "model_digest": None, "lesions": [], "flags": [], "explanations": []}
        nothing |= {"similar_cases": [], "exports": [], "spacing_mm": None}
        return CaseDetail.model_validate(shared | nothing)
    shared |= {
        "model_digest": algorithm_of_answer(case, data).answers_sha256,
        "exports": exports_of(case),
    }
    if case.kind == "volume":
        return CaseDetail.model_validate(shared | _of_volume(read_record(answer_folder(case, data) / RECORD)))
    image = predicted_image(case, data)
    record = image.record()
    lesions = [_stored_lesion(number, lesion, record) for number, lesion in enumerate(record.drawn.lesions or (), 1)]
    return CaseDetail.model_validate(
        shared
        | {
            "spacing_mm": record.geometry.spacing,
            "answer": _stored_answer(record),
            "lesions": lesions,
            "flags": _flags(record, image.picture),
            "similar_cases": [to_mapping(similar) for similar in record.similar_cases],
            "explanations": [_explanation(number, one) for number, one in enumerate(record.explanations)],
        }
    )


def _of_volume(record: PredictionRecord) -> dict[str, Any]:
    """Its voxels and candidates are told by `/api/cases/{id}/volume`."""
    return {
        "spacing_mm": None,
        "answer": _stored_answer(record),
        "lesions": [],
        "flags": _flags_of_answer(record),
        "similar_cases": [],
        "explanations": [],
    }


def exports_of(case: Case) -> list[ExportFormat]:
    """What can be made of it; DICOM objects tell of DICOM files alone."""
    return ["png", "json", "pdf", "seg", "sr"] if case.is_dicom else ["png", "json", "pdf"]


def explanation_layer(folder: CaseFolder, case: Case, number: int) -> NDArray[np.uint8] | None:
    """The colours of an explanation, RGBA `4 H W`, to be laid over its image; None where there is none."""
    answer = prediction_folder(folder.answer, case.folder)
    found = read_record(answer / RECORD).explanations
    if not 0 <= number < len(found):
        return None
    told = found[number]
    stored = read_map(answer / told.file).astype(np.float32)
    values = np.asarray(told.low + stored / 65535 * (told.high - told.low), np.float32)
    return heat_layer(values, meaning=MEANINGS[told.method])


def spread_layer(image: PredictedImage, predictor: Predictor) -> NDArray[np.uint8]:
    """The colours, RGBA `4 H W`, of how far the outline moves over other views of an image: it is looked at again."""
    pixels, spacing = image.picture.image, image.picture.geometry.spacing
    prediction = predictor.predict(pixels, case_id=image.picture.name, spacing=spacing)
    explained = predictor.explained(prediction, pixels, methods=[UNCERTAINTY])
    return heat_layer(explained.explanations[0].values, meaning=MEANINGS[UNCERTAINTY])


def measured_info(redrawn: Redrawn) -> Measured:
    return Measured(
        lesions=_measured_lesions(redrawn.lesions, redrawn.descriptors),
        answer=None if redrawn.answer is None else answer_info(redrawn.answer),
    )


def answer_info(answer: Answer) -> AnswerInfo:
    return AnswerInfo(
        decision=answer.decision,
        probabilities=dict(answer.probabilities),
        calibrated=True,
        possible=list(answer.possible),
        moved_by=[
            Moved(descriptor=one.descriptor, words=one.words, value=one.value, change=one.change)
            for one in answer.moved_by
        ],
    )


def kept_answer(stored: Mapping[str, Any]) -> Answer:
    """The inverse of `answer_info`, of its plain values."""
    told = AnswerInfo.model_validate(stored)
    return Answer(
        decision=cast(Decision, told.decision),
        probabilities=told.probabilities,
        possible=tuple(told.possible),
        moved_by=tuple(MovedBy(**one.model_dump()) for one in told.moved_by),
    )


def reading_info(reading: Reading) -> ReadingInfo:
    return ReadingInfo.model_validate(_fields(reading, ReadingInfo))


def _fields(row: Base, message: type[Message]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in message.model_fields}


def _stored_answer(record: PredictionRecord) -> AnswerInfo | None:
    if record.answer is not None:
        return answer_info(record.answer)
    probabilities = probabilities_of(record)
    if not probabilities:
        return None
    return AnswerInfo(
        decision=record.decision or most_probable(probabilities),
        probabilities=dict(probabilities),
        calibrated=False,
        possible=[],
        moved_by=[],
    )


def _stored_lesion(number: int, lesion: LesionRecord, record: ImageRecord) -> LesionInfo:
    return _lesion(
        number,
        contour=lesion.contour,
        sizes=(lesion.area, lesion.long_axis, lesion.short_axis),
        unit=record.unit or "px",
        probability=lesion.probability,
        described=lesion.descriptors,
    )


def _measured_lesions(lesions: Sequence[Lesion], descriptors: Sequence[LesionDescriptors]) -> list[LesionInfo]:
    described = [DescriptorsRecord.of(found) for found in descriptors]
    return [
        _lesion(
            number,
            contour=lesion.contour,
            sizes=(lesion.area, lesion.long_axis, lesion.short_axis),
            unit=lesion.unit,
            probability=lesion.probability,
            described=described[number - 1] if number <= len(described) else None,
        )
        for number, lesion in enumerate(lesions, start=1)
    ]


def _lesion(
    number: int,
    *,
    contour: Iterable[tuple[float, float]],
    sizes: tuple[float, float, float],
    unit: str,
    probability: float,
    described: DescriptorsRecord | None,
) -> LesionInfo:
    area, long_axis, short_axis = sizes
    return LesionInfo.model_validate(
        {
            "number": number,
            "outline": [(x, y) for y, x in contour],
            "area": area,
            "long_axis": long_axis,
            "short_axis": short_axis,
            "unit": unit,
            "probability": probability,
        }
        | told_descriptors(described, unit=unit)
    )


def _flags_of_answer(record: PredictionRecord) -> list[Flag]:
    flags = [Flag(kind=FLAG_OF_REMARK[remark]) for remark in record.remarks]
    if record.decision == NO_ULTRASOUND:
        flags.append(Flag(kind="other_picture"))
    if record.decision == SUSPECTED:
        flags.append(Flag(kind="suspected"))
    return flags


def _flags(record: ImageRecord, picture: Picture) -> list[Flag]:
    flags = _flags_of_answer(record)
    if marks_in(to_grey(picture.image)).any():
        flags.append(Flag(kind="marks"))
    if record.geometry.spacing is None:
        flags.append(Flag(kind="no_spacing"))
    return flags


def _explanation(number: int, told: ExplanationRecord) -> ExplanationInfo:
    title = told.channel or MEANINGS[told.method].title
    return ExplanationInfo(number=number, title=title, class_name=told.class_name, value=told.value)
