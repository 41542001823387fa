"""Which outlines of a clip's frames are the same lesion.

From frame to frame the outlines are assigned to the lesions seen before so that the sum of their overlaps is the
greatest (Kuhn, "The Hungarian method for the assignment problem", 1955; SciPy's `linear_sum_assignment`). A lesion is
looked for where it would be if it moved on as it did, and for some frames after it was seen last. Of a lesion only
its last outline is kept, so that memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bustle.reading.lesion_mask import LesionMask

_NEWEST_STEP = 0.5
"""The share of the newest step in a lesion's motion: outlines tremble, and so does a single step."""

_SAME_SIZE = 1.3
"""A step between outlines whose areas differ by more says nothing of motion: two lesions became one, or one two."""


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """When two outlines are one lesion: they overlap by `least_overlap` (intersection over union).

    A lesion may be out of sight for `longest_gap` frames; after more, what appears there is a new one.
    """

    least_overlap: float = 0.1
    longest_gap: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.least_overlap <= 1 or self.longest_gap < 0:
            raise ValueError("least_overlap must lie above 0 and up to 1, and longest_gap must not be negative")


@dataclass
class _Track:
    number: int
    frame: int
    mask: LesionMask
    step: tuple[float, float] = (0.0, 0.0)
    """Pixels (y, x) a frame."""

    def expected(self, frame: int) -> LesionMask:
        since = frame - self.frame
        return self.mask.moved((self.step[0] * since, self.step[1] * since))

    def see(self, frame: int, mask: LesionMask) -> None:
        smaller, larger = sorted((self.mask.area, mask.area))
        if larger <= _SAME_SIZE * smaller:
            since = frame - self.frame
            before, now = self.mask.centre, mask.centre
            y, x = ((new - old) / since for new, old in zip(now, before, strict=True))
            kept = 1 - _NEWEST_STEP
            self.step = (kept * self.step[0] + _NEWEST_STEP * y, kept * self.step[1] + _NEWEST_STEP * x)
        self.frame, self.mask = frame, mask


class LesionTracker:
    """Follows the lesions of one clip; frames are given in their order."""

    def __init__(self, tracking: Tracking = Tracking()):
        self.tracking = tracking
        self._tracks: list[_Track] = []
        self._count = 0
        self._last_frame: int | None = None

    def follow(self, frame: int, lesions: Sequence[LesionMask]) -> tuple[int, ...]:
        """The number of each of a frame's lesions, from 1 in the order in which they were first seen.

        Frames that are left out count as frames without lesions. Raises `ValueError` for a frame that is not after
        the one before.
        """
        if self._last_frame is not None and frame <= self._last_frame:
            raise ValueError(f"frame {frame} comes after frame {self._last_frame}")
        self._last_frame = frame
        farthest = self.tracking.longest_gap + 1
        self._tracks = [track for track in self._tracks if frame - track.frame <= farthest]
        numbers = [0] * len(lesions)
        for track, place in self._assigned(frame, lesions):
            track.see(frame, lesions[place])
            numbers[place] = track.number
        for place, mask in enumerate(lesions):
            if numbers[place] == 0:
                self._count += 1
                numbers[place] = self._count
                self._tracks.append(_Track(self._count, frame, mask))
        return tuple(numbers)

    def _assigned(self, frame: int, lesions: Sequence[LesionMask]) -> list[tuple[_Track, int]]:
        if not self._tracks or not lesions:
            return []
        from scipy.optimize import linear_sum_assignment  # still images, which have no tracks, do without SciPy

        expected = [track.expected(frame) for track in self._tracks]
        overlaps = np.array([[mask.overlap(lesion) for lesion in lesions] for mask in expected])
        overlaps[overlaps < self.tracking.least_overlap] = 0.0
        rows, columns = linear_sum_assignment(overlaps, maximize=True)
        return [
            (self._tracks[row], int(column))
            for row, column in zip(rows, columns, strict=True)
            if overlaps[row, column] > 0
        ]
