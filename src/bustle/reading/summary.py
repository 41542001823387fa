"""All that was read by one command: a summary, a table of frames and a sheet of pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import atomic_path, write_json
from bustle.core.model_provenance import ModelProvenance
from bustle.core.study_layout import ClipLayout, StudyLayout
from bustle.drawing.frame_pictures import draw_frame, sheet
from bustle.inference.prediction_files import OVERLAY, RECORD, prediction_folder
from bustle.inference.prediction_record import ImageRecord, VolumeRecord, read_record
from bustle.io.raster import read_image, write_png
from bustle.reading.clip import Clip, Place
from bustle.reading.clip_answer import ClipAnswer, follow_lesions
from bustle.reading.clip_pictures import TILE, cover
from bustle.reading.frame_log import read_frames
from bustle.reading.frame_record import FrameRecord
from bustle.reading.picking import Picked
from bustle.reading.study_answer import PartAnswer, Skipped, StudyAnswer, answer_study
from bustle.reading.tracking import Tracking
from bustle.reading.verdict import NO_ULTRASOUND, Opinion, Verdict, nothing_seen, verdict_of

MOST_TILES, SHEET_COLUMNS = 60, 6
"""So many clips and images, the most urgent, are on the sheet."""

_COLUMNS = ("part", "frame", "decision", "lesions", "numbers", "areas", "unit", "remarks", "problem")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The content of `summary.json`: the answer of each study, and what was not read."""

    studies: tuple[StudyAnswer, ...]
    skipped: tuple[Skipped, ...]
    tracking: Tracking
    provenance: ModelProvenance


def write_summary(
    out: Path,
    picked: Picked,
    *,
    answers: Mapping[str, ClipAnswer],
    failures: Mapping[str, InputError],
    provenance: ModelProvenance,
) -> Summary:
    """Write the three files about what was read into `out`, the summary last.

    `answers` are of the clips by name, `failures` of what could not be read. Still images of studies are read back
    from their predictions; others are not part of a study. Raises `InputError` where nothing can be written.
    """
    layout = StudyLayout(out)
    stills = {
        image.name: read_record(prediction_folder(out, image.name) / RECORD)
        for image in picked.images
        if image.name in picked.places and image.name not in failures
    }
    clips = {clip.name: clip for clip in picked.clips if clip.name in answers}
    parts = [
        (picked.places[name], _part_of_still(name, still, picked.places[name])) for name, still in stills.items()
    ]
    parts += [(clip.place, _part_of_clip(clip, answers[clip.name])) for clip in clips.values()]
    summary = Summary(
        studies=tuple(studies_of(parts)),
        skipped=tuple(
            Skipped(name=name, reason=f"{error.problem}; {error.remedy}") for name, error in failures.items()
        ),
        tracking=Tracking(),
        provenance=provenance,
    )
    _write_table(layout.frames, out, stills=stills, clips=list(clips.values()))
    ranked = sorted((part for _, part in parts), key=_urgency, reverse=True)
    tiles = [_tile(out, part, clips=clips, answers=answers) for part in ranked[:MOST_TILES]]
    drawn = [tile for tile in tiles if tile is not None]
    if drawn:
        write_png(layout.contact_sheet, sheet(drawn, columns=SHEET_COLUMNS))
    write_json(layout.summary, to_mapping(summary))
    return summary


def _urgency(part: PartAnswer) -> tuple[float, float]:
    return (-99, 0.0) if part.verdict is None else part.verdict.urgency


def _part_of_still(name: str, record: ImageRecord | VolumeRecord, place: Place) -> PartAnswer:
    return PartAnswer(
        name=name,
        side=place.side,
        frames=1,
        lesions=record.drawn.lesion_count,
        decided_by=None,
        verdict=_verdict_of_still(record),
    )


def _verdict_of_still(record: ImageRecord | VolumeRecord) -> Verdict | None:
    if record.decision == NO_ULTRASOUND:
        return nothing_seen(1)
    told = FrameRecord(
        frame=1, decision=record.decision, class_probabilities=record.class_probabilities, answer=record.answer
    )
    opinion = Opinion.of(told)
    return None if opinion is None else verdict_of([opinion])


def _part_of_clip(clip: Clip, answer: ClipAnswer) -> PartAnswer:
    return PartAnswer(
        name=clip.name,
        side=clip.place.side,
        frames=answer.frames,
        lesions=len(answer.lesions),
        decided_by=answer.decided_by,
        verdict=answer.verdict,
    )


def studies_of(parts: Sequence[tuple[Place, PartAnswer]]) -> Iterator[StudyAnswer]:
    """A study for each that the files name, for each patient of whom they name none, and for each clip of nobody.

    A file of a study that does not say whose it is belongs to the one patient of the study.
    """
    patients: dict[str | None, set[str]] = {}
    for place, _ in parts:
        patients.setdefault(place.study, set()).update(filter(None, [place.patient]))
    grouped: dict[tuple[str | None, ...], list[tuple[Place, PartAnswer]]] = {}
    for place, part in parts:
        patient, others = place.patient, patients[place.study]
        if patient is None and place.study is not None and len(others) == 1:
            (patient,) = others
        nobody = place.study is None and patient is None
        grouped.setdefault((place.study, patient, part.name if nobody else None), []).append((place, part))
    for (study, patient, _), own in grouped.items():
        yield answer_study([part for _, part in own], study=study, patient=patient)


def _write_table(
    path: Path, out: Path, *, stills: Mapping[str, ImageRecord | VolumeRecord], clips: Sequence[Clip]
) -> None:
    """One row a frame; probabilities have a column for each class that a first pass finds."""
    classes = list(dict.fromkeys(name for row in _rows(out, stills, clips) for name in row.probabilities))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*_COLUMNS[:3], *classes, *_COLUMNS[3:]))
        for row in _rows(out, stills, clips):
            values = [_rounded(row.probabilities.get(name)) for name in classes]
            writer.writerow((row.part, row.frame, row.decision, *values, *row.rest))


@dataclass(frozen=True)
class _Row:
    part: str
    frame: int
    decision: str
    probabilities: Mapping[str, float]
    rest: tuple[object, ...]


def _rows(out: Path, stills: Mapping[str, ImageRecord | VolumeRecord], clips: Sequence[Clip]) -> Iterator[_Row]:
    for name, still in stills.items():
        probabilities = (still.class_probabilities if still.answer is None else still.answer.probabilities) or {}
        outlined = (still.drawn.lesions or ()) if isinstance(still, ImageRecord) else ()
        areas = " ".join(_rounded(lesion.area) for lesion in outlined)
        rest = (still.drawn.lesion_count, "", areas, still.unit or "", ", ".join(still.remarks), "")
        yield _Row(name, 1, still.decision or "", probabilities, rest)
    for clip in clips:
        records = ClipLayout(prediction_folder(out, clip.name)).records
        for record, numbers in follow_lesions(read_frames(records)):
            areas = " ".join(_rounded(lesion.area) for lesion in record.lesions)
            told = (len(numbers), " ".join(map(str, numbers)), areas, clip.unit)
            rest = (*told, ", ".join(record.remarks), record.problem or "")
            yield _Row(clip.name, record.frame, record.decision or "", record.probabilities, rest)


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _tile(
    out: Path, part: PartAnswer, *, clips: Mapping[str, Clip], answers: Mapping[str, ClipAnswer]
) -> NDArray[np.uint8] | None:
    decision = "no answer" if part.verdict is None else part.verdict.decision
    caption = f"{decision} {part.side or ''} {part.name[-14:]}"
    folder = prediction_folder(out, part.name)
    if part.name in clips:
        return cover(clips[part.name], answers[part.name], records=ClipLayout(folder).records, caption=caption)
    return draw_frame(read_image(folder / OVERLAY), (), caption=caption, size=TILE)
