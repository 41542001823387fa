"""Which pairs of frames are worth a geometric comparison, without comparing every pair.

An inverted file: descriptors are sorted into cells (spherical k-means), near-identical descriptors are looked for
within a cell only, and every find is a vote for the pair of frames. The work grows almost linearly with the
number of frames. Pairs whose small pictures agree are candidates too, for frames with few features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bustle.data.relations.frame_features import SAME_FRAMING, FrameFeatures, mirrored_descriptors, unit_descriptors

_CELL_SIZE = 1200
_MAX_TRAINING = 60_000
_SAME_POINT = 0.96
"""Cosine of two descriptors above which they may show the same point; speckle of other frames rarely gets there."""

_VOTES = 6
_MIRROR_KEYPOINTS = 200
_BLOCK = 16_384
_SIMILARITIES = 8_000_000
"""Descriptors times cells that are compared at once, which bounds the memory."""


def candidate_pairs(frames: Sequence[FrameFeatures], *, mirror: bool) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, that may be copies; with `mirror`, where j may be a mirrored copy of i."""
    if len(frames) < 2:
        return []
    limit = _MIRROR_KEYPOINTS if mirror else None
    descriptors = [frame.descriptors[:limit] for frame in frames]
    owner = np.repeat(np.arange(len(frames)), [len(d) for d in descriptors])
    pairs = _thumbnail_pairs(frames, mirror=mirror)
    if len(owner) > 0:
        pairs |= _voted_pairs(np.concatenate(descriptors), owner, frames=len(frames), mirror=mirror)
    return sorted(pairs)


def _voted_pairs(
    descriptors: NDArray[np.uint8], owner: NDArray[np.intp], *, frames: int, mirror: bool
) -> set[tuple[int, int]]:
    centres = _cell_centres(descriptors)
    members = _members(_nearest_cells(descriptors, centres), len(centres))
    other = mirrored_descriptors(descriptors) if mirror else descriptors
    other_members = _members(_nearest_cells(other, centres), len(centres)) if mirror else members
    found: list[NDArray[np.int64]] = []
    for rows, columns in zip(members, other_members, strict=True):
        left = unit_descriptors(descriptors[rows])
        for start in range(0, len(columns), _BLOCK):  # a cell of one repeated pattern can be large
            part = columns[start : start + _BLOCK]
            i, j = np.nonzero(left @ unit_descriptors(other[part]).T > _SAME_POINT)
            i, j = rows[i], part[j]
            apart = owner[i] < owner[j]
            found.append(np.unique(i[apart].astype(np.int64) * len(owner) + j[apart]))
    same = np.unique(np.concatenate(found))  # a pair of descriptors may have met in two cells
    left, right = same // len(owner), same % len(owner)
    # a pattern that repeats within a frame counts once: both frames must contribute enough distinct points
    by_left = _enough_votes(left * frames + owner[right], owner, frames)
    by_right = {(j, i) for i, j in _enough_votes(right * frames + owner[left], owner, frames)}
    return by_left & by_right


def _enough_votes(seen: NDArray[np.int64], owner: NDArray[np.intp], frames: int) -> set[tuple[int, int]]:
    """Pairs (i, j) in which enough different points of frame i found something in frame j.

    `seen` holds point * frames + j, possibly repeated.
    """
    distinct = np.unique(seen)
    pairs, votes = np.unique(owner[distinct // frames] * frames + distinct % frames, return_counts=True)
    chosen = pairs[votes >= _VOTES]
    return set(zip((chosen // frames).tolist(), (chosen % frames).tolist(), strict=True))


def _cell_centres(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    count = max(1, len(descriptors) // _CELL_SIZE * 2)
    training = random.permutation(len(descriptors))[:_MAX_TRAINING]
    sample = unit_descriptors(descriptors[np.sort(training)])
    centres = sample[random.choice(len(sample), min(count, len(sample)), replace=False)]
    for _ in range(3):
        rows = max(1, _SIMILARITIES // len(centres))
        parts = [sample[start : start + rows] for start in range(0, len(sample), rows)]
        nearest = np.concatenate([(part @ centres.T).argmax(axis=1) for part in parts])
        assignment = sparse.csr_matrix(
            (np.ones(len(sample), np.float32), (nearest, np.arange(len(sample)))), shape=(len(centres), len(sample))
        )
        sums = assignment @ sample
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-6), centres).astype(np.float32)
    return centres


def _nearest_cells(descriptors: NDArray[np.uint8], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    """The two nearest cells of each descriptor, `N 2` (one column where there is one cell)."""
    keep = min(2, len(centres))
    nearest = np.empty((len(descriptors), keep), np.intp)
    rows = max(1, _SIMILARITIES // len(centres))  # there are more cells where there are more descriptors
    for start in range(0, len(descriptors), rows):
        distance = unit_descriptors(descriptors[start : start + rows]) @ -centres.T
        nearest[start : start + rows] = np.argpartition(distance, keep - 1, axis=1)[:, :keep]
    return nearest


def _members(cells: NDArray[np.intp], count: int) -> list[NDArray[np.intp]]:
    flat = cells.ravel()
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], np.arange(count + 1))
    rows = order // cells.shape[1]
    return [rows[bounds[c] : bounds[c + 1]] for c in range(count)]


def _thumbnail_pairs(frames: Sequence[FrameFeatures], *, mirror: bool) -> set[tuple[int, int]]:
    pictures = np.stack([frame.thumbnail for frame in frames])
    side = round(pictures.shape[1] ** 0.5)
    other = pictures.reshape(-1, side, side)[:, :, ::-1].reshape(pictures.shape) if mirror else pictures
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(pictures), _BLOCK // 8):
        i, j = np.nonzero(pictures[start : start + _BLOCK // 8] @ other.T > SAME_FRAMING)
        i = i + start
        pairs |= set(zip(i[i < j].tolist(), j[i < j].tolist(), strict=True))
    return pairs
