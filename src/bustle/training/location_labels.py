"""Which training cases show where their lesion is, and in what form: an outline, or only a box."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import DataSection
from bustle.core.types import Box
from bustle.data.prepared.cache import CaseCache


class LocationLabels:
    """The lesion masks that a training sees; `present` (bool N) says which cases of the cache have one.

    Boxes, where they count, become filled masks here, before any augmentation, which then moves them as it moves an
    outline. `located_fraction` of the cases at `train` that have a location keep it: the first of an order that is
    drawn from (seed, case id), so that a smaller fraction is a part of a larger one.
    """

    def __init__(self, cache: CaseCache, *, section: DataSection, train: NDArray[np.int64], seed: int):
        self._cache = cache
        self._boxes = section.location == "box"
        self.present = cache.has_mask | cache.has_box if self._boxes else cache.has_mask.copy()
        located = [int(position) for position in train if self.present[position]]
        order = sorted(located, key=lambda position: _draw(cache.case_ids[position], seed=seed))
        self.present[order[round(section.located_fraction * len(located)) :]] = False

    def mask(self, position: int) -> NDArray[np.uint8]:
        """The instance map `h w` of one case, all zero where it has none."""
        outline = self._cache.lesion_masks[position]
        if not self.present[position]:
            return np.zeros_like(outline)
        if not self._boxes:
            return np.asarray(outline)
        boxes = tight_boxes(outline) if self._cache.has_mask[position] else self._cache.boxes[position]
        return filled(boxes, shape=outline.shape)


def tight_boxes(instances: NDArray[np.uint8]) -> list[Box]:
    """The smallest box around every lesion of an instance map `h w`."""
    boxes = []
    for instance in np.unique(instances[instances > 0]):
        rows, columns = np.nonzero(instances == instance)
        boxes.append(Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1))
    return boxes


def filled(boxes: Sequence[Box], *, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An instance map `h w` of filled boxes; where two overlap, the later one is on top."""
    instances = np.zeros(shape, np.uint8)
    for number, box in enumerate(boxes, start=1):
        instances[box.y_start : box.y_stop, box.x_start : box.x_stop] = number
    return instances


def _draw(case_id: str, *, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{case_id}".encode(), digest_size=16).digest()
