"""COCO segmentations to masks: polygons and run-length codes.

The format is that of the COCO data format page (cocodataset.org/#format-data): runs go down the columns and start
with background; the compressed form writes each run, or its difference from the run two before, in groups of five
bits as printable characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mask_from_segmentation(segmentation: Any, *, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A COCO `segmentation` (list of polygons, or a run-length dict) as a mask `H W` of `size`.

    A pixel belongs to a polygon if its centre lies inside. Raises `ValueError` for anything malformed.
    """
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        runs = decode_runs(counts) if isinstance(counts, str) else [int(count) for count in counts]
        return mask_from_runs(runs, size=size, declared=tuple(segmentation["size"]))
    return mask_from_polygons(segmentation, size=size)


def mask_from_polygons(polygons: Sequence[Sequence[float]], *, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The union of polygons [x0, y0, x1, y1, …] whose coordinates are 0 at the image's outer edge."""
    mask = np.zeros(size, np.bool_)
    for corners in polygons:
        points = np.asarray(corners, float)
        if points.ndim != 1 or points.size < 6 or points.size % 2 or not np.isfinite(points).all():
            raise ValueError("a polygon needs at least three corners x, y")
        mask |= _filled(points[0::2] - 0.5, points[1::2] - 0.5, size=size)
    return mask


def _filled(x: NDArray[np.float64], y: NDArray[np.float64], *, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie inside a polygon or on its outline; a pixel's centre has whole coordinates.

    A point is inside if a ray from it crosses the outline an odd number of times; it is on the outline if the rays
    to the right and to the left disagree (O'Rourke, Computational Geometry in C, 1998, section 7.4).
    """
    mask = np.zeros(size, np.bool_)
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    columns = np.arange(max(0, int(x.min())), min(size[1], int(np.ceil(x.max())) + 1))[:, None]
    for row in range(max(0, int(y.min())), min(size[0], int(np.ceil(y.max())) + 1)):
        near = np.flatnonzero((np.minimum(y, next_y) <= row) & (np.maximum(y, next_y) >= row))
        x0, y0, x1, y1 = x[near] - columns, y[near] - row, next_x[near] - columns, next_y[near] - row
        with np.errstate(divide="ignore", invalid="ignore"):  # a level edge is crossed by neither ray
            crossing = (x0 * y1 - x1 * y0) / (y1 - y0)
        right = (((y0 > 0) != (y1 > 0)) & (crossing > 0)).sum(axis=1) % 2
        left = (((y0 < 0) != (y1 < 0)) & (crossing < 0)).sum(axis=1) % 2
        corner = ((x0 == 0) & (y0 == 0)).any(axis=1)
        mask[row, columns[:, 0]] = right | left | corner
    return mask


def mask_from_runs(runs: Sequence[int], *, size: tuple[int, int], declared: tuple[int, ...]) -> NDArray[np.bool_]:
    if declared != size:
        raise ValueError(f"the run-length code is for {declared}, the image is {size} (height, width)")
    if any(run < 0 for run in runs) or sum(runs) != size[0] * size[1]:
        raise ValueError(f"the run-length code does not fill {size[1]} x {size[0]} pixels")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(size, order="F")


def decode_runs(text: str) -> list[int]:
    """The run lengths of a compressed run-length code."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    if codes.size and (codes.min() < 0 or codes.max() > 63 or codes[-1] & 32):
        raise ValueError("the compressed run-length code is damaged")
    ends = np.flatnonzero((codes & 32) == 0) + 1
    runs: list[int] = []
    for start, stop in pairwise([0, *ends.tolist()]):
        groups = codes[start:stop]
        value = sum(int(group & 31) << (5 * place) for place, group in enumerate(groups))
        if groups[-1] & 16:  # two's complement: the highest bit of the last group is the sign
            value -= 1 << (5 * len(groups))
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs
