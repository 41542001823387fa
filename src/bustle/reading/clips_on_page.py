"""Clips as the page of answers shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bustle.core.study_layout import ClipLayout
from bustle.experiments.answers_report import page_url, shown_pictures
from bustle.inference.prediction_files import RECORD
from bustle.reading.clip_answer import ClipAnswer, ClipLesion
from bustle.reading.frame_log import StoredFrames
from bustle.reading.reported_clips import ReadClip, reported_answer
from bustle.reading.shown_frames import frames_to_show, shown_frame_folder
from bustle.report.answers_page import ShownAnswer, ShownLesion, ShownPicture
from bustle.report.wording import diameters, number


def shown_clip(read: ReadClip, *, out: Path) -> ShownAnswer:
    """The clip's answer, its lesions, its films, and the frames that were written like images.

    Raises `InputError` where none of its frames could be read.
    """
    layout, name = ClipLayout(read.records.parent), read.clip.name
    answer = reported_answer(read, StoredFrames(read.records))
    return ShownAnswer(
        name=name,
        decision=answer.decision,
        probabilities=answer.probabilities,
        calibrated=answer.calibrated,
        possible=answer.possible,
        moved_by=answer.moved_by,
        similar=(),
        lesions=[_lesion(lesion, read.answer) for lesion in read.answer.lesions],
        remarks=answer.remarks,
        pictures=list(_pictures(read, layout, out=out)),
        record=page_url(layout.answer, out=out),
    )


def _pictures(read: ReadClip, layout: ClipLayout, *, out: Path) -> Iterator[ShownPicture]:
    for title, path in (("clip", layout.film), ("frames", layout.contact_sheet)):
        if path.exists():
            yield ShownPicture(title=title, url=page_url(path, out=out))
    for frame in frames_to_show(read.answer):
        folder = shown_frame_folder(out, read.clip.name, frame)
        if (folder / RECORD).exists():
            yield from shown_pictures(folder, out=out, of=f"frame {frame}, ")


def _lesion(lesion: ClipLesion, answer: ClipAnswer) -> ShownLesion:
    unit, best = answer.unit, lesion.best
    told = {
        "seen in": f"{len(lesion.sightings)} of {answer.frames} frames",
        "best frame": f"{best.frame}, {best.why}",
        "area": f"{number(best.area, unit)} {unit}², median {number(lesion.median_area, unit)} {unit}²",
    }
    if lesion.verdict is not None:
        told = {"answer": lesion.verdict.decision, **told}
    return ShownLesion(size=diameters([best.long_axis, best.short_axis], unit), measured=told)
