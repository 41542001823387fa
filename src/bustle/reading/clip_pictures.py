"""What a clip looks like with its lesions: a sheet of frames, and a film that every browser shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.drawing.frame_pictures import draw_frame, sheet
from bustle.inference.decision import MALIGNANT
from bustle.io.animation import write_animation
from bustle.io.raster import write_png
from bustle.reading.clip import Clip
from bustle.reading.clip_answer import ClipAnswer, follow_lesions
from bustle.reading.frame_log import read_frames
from bustle.reading.frame_record import FrameRecord

TILE = (198, 240)
"""(height, width) of a small picture of a frame."""

SHEET_FRAMES, SHEET_COLUMNS = 12, 4
"""So many frames of a clip, evenly spaced, and the best of each lesion are shown."""

FILM = (378, 480)
FILM_FRAMES, FILM_FRAME_MS = 120, 100
"""A film has so many frames at most, evenly spaced: a browser holds them all in memory."""

MOST_BEST = 6
"""So many lesions, the most urgent first, have their best frames shown."""


def write_clip_pictures(clip: Clip, answer: ClipAnswer, *, records: Path, contact_sheet: Path, film: Path) -> None:
    """Write both pictures in one pass through the `records`; frames that cannot be read are left out.

    A clip of which no frame can be read has neither. Raises `InputError` where they cannot be written.
    """
    shown = set(_spread(clip.numbers, SHEET_FRAMES)) | set(_best(answer))
    filmed = set(_spread(clip.numbers, FILM_FRAMES))
    tiles: list[NDArray[np.uint8]] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for record, numbers in follow_lesions(read_frames(records)):
            if record.problem is not None or record.frame not in shown | filmed:
                continue
            try:
                image, _ = clip.frame(record.frame)
            except InputError:  # the file has changed or gone meanwhile
                continue
            lesions = masks_of(record, numbers, size=image.shape[1:])
            if record.frame in shown:
                tiles.append(draw_frame(image, lesions, caption=_caption(record), size=TILE))
            if record.frame in filmed:
                yield draw_frame(image, lesions, caption=_caption(record), size=FILM)

    if len(answer.unread) == answer.frames:
        return
    write_animation(film, pictures(), frame_ms=FILM_FRAME_MS)
    if tiles:
        write_png(contact_sheet, sheet(tiles, columns=SHEET_COLUMNS))


def cover(clip: Clip, answer: ClipAnswer, *, records: Path, caption: str) -> NDArray[np.uint8] | None:
    """The frame that shows the deciding lesion best, or the middle one, as a tile; None where it cannot be read."""
    deciding = next((lesion for lesion in answer.lesions if lesion.number == answer.decided_by), None)
    number = clip.numbers[len(clip.numbers) // 2] if deciding is None else deciding.best.frame
    for record, numbers in follow_lesions(read_frames(records)):
        if record.frame == number:
            try:
                image, _ = clip.frame(number)
            except InputError:
                return None
            return draw_frame(image, masks_of(record, numbers, size=image.shape[1:]), caption=caption, size=TILE)
    return None


def masks_of(
    record: FrameRecord, numbers: Sequence[int], *, size: tuple[int, ...]
) -> list[tuple[int, NDArray[np.bool_]]]:
    """The number and the mask `H W` of each of a frame's lesions."""
    found = []
    for number, lesion in zip(numbers, record.lesions, strict=True):
        mask = np.zeros(size, bool)
        lesion.mask.draw(mask)
        found.append((number, mask))
    return found


def _best(answer: ClipAnswer) -> list[int]:
    ranked = sorted(
        answer.lesions,
        key=lambda lesion: ((-99, 0.0) if lesion.verdict is None else lesion.verdict.urgency, lesion.maximum_area),
        reverse=True,
    )
    return [lesion.best.frame for lesion in ranked[:MOST_BEST]]


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """At most `count` of the numbers, evenly spaced from the first to the last."""
    if len(numbers) <= count:
        return list(numbers)
    return [numbers[round(place)] for place in np.linspace(0, len(numbers) - 1, count)]


def _caption(record: FrameRecord) -> str:
    words = [] if record.decision in (None, MALIGNANT) else [record.decision]
    malignant = record.probabilities.get(MALIGNANT)
    words += [] if malignant is None else [f"{MALIGNANT} {malignant:.2f}"]
    return f"{record.frame}: {', '.join(words)}"
