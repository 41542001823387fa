"""One case as a file to take along: picture, JSON, PDF page, DICOM Segmentation or structured report."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.object_formats import ObjectFormat
from bustle.core.types import CLASS_NAMES
from bustle.drawing.outlines import PREDICTED, as_canvas, draw_outline
from bustle.drawing.overlay import line_width
from bustle.drawing.overlay_planes import outline_plane
from bustle.experiments.answers_report import SUSPECTED, TOLD, size_of_candidate
from bustle.inference.prediction_files import OVERLAY, RECORD, prediction_folder
from bustle.inference.prediction_record import VolumeRecord, read_record
from bustle.io.dicom.result_content import Algorithm
from bustle.io.raster import as_png, read_image
from bustle.reading.redrawn_outline import Redrawn, outlines_digest
from bustle.report.result_sheet import SheetPicture, draw_result_sheet
from bustle.report.wording import diameters, number
from bustle.webapp.case_detail import FLAG_OF_REMARK, algorithm_of_answer, answer_folder, predicted_image
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.dropped_file import dropped_image
from bustle.webapp.messages import CaseDetail, ExportFormat, FlagKind, ReadingInfo
from bustle.webapp.readings import as_outlines
from bustle.webapp.shown_volume import volume_info
from bustle.webapp.tables import Case

WARNINGS: Mapping[FlagKind, str] = {
    **{FLAG_OF_REMARK[remark]: words for remark, words in TOLD.items()},
    "suspected": SUSPECTED,
}
"""The flags that stand on the page, in the words of the report of `bustle predict`."""

MOST_TOLD = 3
"""Lesions whose sizes stand on the page."""


@dataclass(frozen=True)
class Exported:
    """`content` of a file, its kind and its name, which says nothing of the patient."""

    content: bytes
    media_type: str
    name: str


def export(
    case: Case,
    detail: CaseDetail,
    kind: ExportFormat,
    *,
    stored: str,
    redrawn: Redrawn | None,
    data: DataFolder,
) -> Exported:
    """What the newest reading says, and without one the model's answer; `stored` is the name of the dropped file.

    Raises `InputError` for what cannot be made.
    """
    name = f"bustle-{case.id}"
    if kind == "json":
        told = detail.model_dump(mode="json")
        if case.kind == "volume":
            told["volume"] = volume_info(data.case(case.id), case.folder).model_dump(mode="json")
        return Exported(json.dumps(told, indent=1).encode(), "application/json", f"{name}.json")
    if kind == "png":
        picture = _picture(case, redrawn, data)
        canvas = as_canvas(picture.pixels)
        draw_outline(canvas, picture.mask, colour=PREDICTED, thickness=line_width(canvas.shape[:2]), smooth=False)
        return Exported(as_png(np.ascontiguousarray(canvas.transpose(2, 0, 1))), "image/png", f"{name}.png")
    algorithm = _algorithm(case, data)
    if kind == "pdf":
        picture = _picture(case, redrawn, data)
        shown = SheetPicture(
            title=case.name,
            pixels=picture.pixels,
            outline=outline_plane(picture.mask, suspected=False),
            lines=tuple(_lines(detail, _lesion_lines(case, detail, data))),
        )
        page = draw_result_sheet([shown], left_out=0, model=algorithm.name, version=algorithm.full_version)
        return Exported(page, "application/pdf", f"{name}.pdf")
    path = data.upload(case.drop_id, stored)
    content = _object(case, kind, redrawn=redrawn, path=path, algorithm=algorithm, data=data)
    return Exported(content, "application/dicom", f"{name}-{kind}.dcm")


@dataclass(frozen=True)
class _Picture:
    """What is shown of a case: `pixels` uint8 `C H W`, and a mask bool `H W` that is not yet drawn on them."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def _picture(case: Case, redrawn: Redrawn | None, data: DataFolder) -> _Picture:
    """Of a volume the cuts with its outlines already drawn, or its middle slice where these are rejected."""
    if case.kind == "volume":
        shown = data.case(case.id).picture if _is_rejected(case) else answer_folder(case, data) / OVERLAY
        pixels = read_image(shown)
        return _Picture(pixels, np.zeros(pixels.shape[1:], bool))
    image = predicted_image(case, data)
    mask = image.mask() if redrawn is None else redrawn.mask
    return _Picture(image.picture.image, np.zeros_like(mask) if _is_rejected(case) else mask)


def _is_rejected(case: Case) -> bool:
    return case.reading is not None and case.reading.verdict == "rejected"


def _lesion_lines(case: Case, detail: CaseDetail, data: DataFolder) -> list[str]:
    """The largest lesions' sizes, as far as the reader leaves them."""
    if _is_rejected(case):
        return []
    if case.kind == "volume":
        record = read_record(answer_folder(case, data) / RECORD)
        assert isinstance(record, VolumeRecord)
        drawn = [(place, one) for place, one in enumerate(record.drawn.candidates, start=1) if one.found.voxels]
        unit = record.unit or "px"
        return [f"Lesion {place}: {size_of_candidate(one, unit=unit)}" for place, one in drawn[:MOST_TOLD]]
    lines = []
    for lesion in (detail.lesions if detail.measured is None else detail.measured.lesions)[:MOST_TOLD]:
        size = diameters([lesion.long_axis, lesion.short_axis], lesion.unit)
        lines.append(f"Lesion {lesion.number}: {size}")
    return lines


def _lines(detail: CaseDetail, lesions: Sequence[str]) -> Sequence[str]:
    """What stands below the picture: the model's words first, then the reader's."""
    reading, measured = detail.reading, detail.measured
    corrected = None if measured is None else measured.answer
    answer = corrected or detail.answer
    lines = [] if detail.patient is None else [f"Patient: {detail.patient} (a pseudonym)"]
    if answer is not None:
        told = ", ".join(
            f"{name} {answer.probabilities[name]:.2f}" for name in CLASS_NAMES if name in answer.probabilities
        )
        lines.append(f"AI: {answer.decision}: {told}" + (", about the corrected outline" if corrected else ""))
    lines += [WARNINGS[flag.kind] for flag in detail.flags if flag.kind in WARNINGS]
    lines += lesions
    if reading is None:
        return [*lines, "Not read by a person"]
    birads = "no category" if reading.birads is None else f"BI-RADS {reading.birads}"
    lines.append(f"Reader: {reading.verdict}, {birads}")
    if place := _place(reading):
        lines.append(place)
    if reading.note:
        lines.append(reading.note)
    if reading.signed is None:
        return [*lines, "Not signed"]
    lines.append(f"Signed by {reading.reader}, {reading.signed:%Y-%m-%d %H:%M} UTC")
    for addendum in detail.addenda:
        lines.append(f"Addendum by {addendum.reader}, {addendum.made:%Y-%m-%d %H:%M} UTC: {addendum.text}")
    for second in detail.second_readings:
        category = "no category" if second.birads is None else f"BI-RADS {second.birads}"
        lines.append(
            f"Second reading by {second.reader}, {second.made:%Y-%m-%d %H:%M} UTC: {second.verdict}, {category}"
        )
    return lines


def _place(reading: ReadingInfo) -> str:
    """Where in the breast, as far as the reader says it."""
    told = []
    if reading.side is not None:
        told.append(f"{reading.side} breast")
    if reading.clock is not None:
        told.append(f"{reading.clock} o'clock")
    if reading.nipple_mm is not None:
        told.append(f"{number(reading.nipple_mm, 'mm')} mm from the nipple")
    return ", ".join(told).capitalize()


def _algorithm(case: Case, data: DataFolder) -> Algorithm:
    algorithm = algorithm_of_answer(case, data)
    reading = case.reading
    if reading is None or reading.outlines is None:
        return algorithm
    digest = outlines_digest(as_outlines(reading.outlines))[:16]
    words = (f"outlines corrected by a reader, {digest}",)
    return dataclasses.replace(algorithm, parameters=words, corrected=True)


def _object(
    case: Case,
    kind: ObjectFormat,
    *,
    redrawn: Redrawn | None,
    path: Path,
    algorithm: Algorithm,
    data: DataFolder,
) -> bytes:
    """The DICOM object of this kind, as `bustle predict` makes it."""
    from bustle.reading.study_objects import write_study_objects  # the first answer does not wait for pydicom

    if _is_rejected(case):
        raise InputError("the reader has rejected the answer", remedy="accept or correct it first")
    source = dropped_image(path, case.folder)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        if redrawn is not None:
            predicted_image(case, data).write_redrawn(redrawn, out)
        else:
            place = prediction_folder(out, case.folder)
            place.symlink_to(answer_folder(case, data), target_is_directory=True)
        problems: list[InputError] = []
        created = datetime.now().replace(microsecond=0)
        formats: tuple[ObjectFormat, ...] = (kind,)
        made = write_study_objects(
            out, [source], [], formats=formats, algorithm=algorithm, created=created, on_failure=problems.append
        )
        wanted = [file for file in made if file.name.startswith(f"{kind}-")]
        if problems or not wanted:
            raise problems[0] if problems else InputError("there is nothing to outline", remedy="export the report")
        return wanted[0].read_bytes()
