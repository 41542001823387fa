"""A lesion's mask cut out of its frame: thousands of frames of them are kept where whole masks could not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Box


@dataclass(frozen=True, eq=False)
class LesionMask:
    """What of a lesion lies in `box`, bool `h w`; nothing of it lies beyond."""

    box: Box
    pixels: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> LesionMask:
        """Cut a mask `H W` to its lesion. Raises `ValueError` for an empty one."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            raise ValueError("the mask is empty")
        box = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        return cls(box, mask[box.y_start : box.y_stop, box.x_start : box.x_stop].copy())

    @classmethod
    def of_runs(cls, box: Box, runs: Sequence[int]) -> LesionMask:
        """The inverse of `runs`. Raises `ValueError` for runs that do not fill the box."""
        height, width = box.y_stop - box.y_start, box.x_stop - box.x_start
        lengths = np.array(runs, np.int64)
        if height < 1 or width < 1 or (lengths < 0).any() or int(lengths.sum()) != height * width:
            raise ValueError("the runs of a mask do not fill its box")
        values = np.arange(len(lengths)) % 2 == 1
        return cls(box, np.repeat(values, lengths).reshape(height, width))

    @property
    def runs(self) -> tuple[int, ...]:
        """The box row by row as lengths of runs, of background and lesion by turns; the first may be 0."""
        flat = np.concatenate([[False], self.pixels.ravel(), [not self.pixels.flat[-1]]])
        changes = np.flatnonzero(np.diff(flat.view(np.int8)))
        return tuple(np.diff(changes, prepend=0).tolist())

    @property
    def area(self) -> int:
        """In pixels."""
        return int(np.count_nonzero(self.pixels))

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of gravity (y, x) in pixels of the frame."""
        rows, columns = np.nonzero(self.pixels)
        return self.box.y_start + float(rows.mean()), self.box.x_start + float(columns.mean())

    def touches_edge(self, size: tuple[int, int]) -> bool:
        """Whether it reaches the edge of its frame `H W`: how far it goes on cannot be seen."""
        box = self.box
        return min(box.y_start, box.x_start) == 0 or box.y_stop == size[0] or box.x_stop == size[1]

    def draw(self, canvas: NDArray[np.bool_]) -> None:
        """Set its pixels in a mask `H W` of the whole frame."""
        canvas[self.box.y_start : self.box.y_stop, self.box.x_start : self.box.x_stop] |= self.pixels

    def moved(self, by: tuple[float, float]) -> LesionMask:
        """It elsewhere, by whole pixels (y, x); it may leave the frame."""
        y, x = round(by[0]), round(by[1])
        box = Box(self.box.y_start + y, self.box.x_start + x, self.box.y_stop + y, self.box.x_stop + x)
        return LesionMask(box, self.pixels)

    def overlap(self, other: LesionMask) -> float:
        """Intersection over union, 0..1."""
        top, left = max(self.box.y_start, other.box.y_start), max(self.box.x_start, other.box.x_start)
        bottom, right = min(self.box.y_stop, other.box.y_stop), min(self.box.x_stop, other.box.x_stop)
        if bottom <= top or right <= left:
            return 0.0
        own, its = (
            each.pixels[top - each.box.y_start : bottom - each.box.y_start, left - each.box.x_start :][
                :, : right - left
            ]
            for each in (self, other)
        )
        shared = int(np.count_nonzero(own & its))
        return shared / (self.area + other.area - shared)
