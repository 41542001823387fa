"""Which pairs of frames are worth a geometric comparison, without comparing every pair.

Local features ask an index of all frames' features for their nearest neighbours; each neighbour that may show the
same point is a vote for its pair of frames. A feature has a fixed number of votes, so that the finds grow with the
number of frames and not with its square: what a scanner draws into each of its frames votes for a few of them and
not for all (as a text search passes over the words of every page; Sivic & Zisserman, ICCV 2003). Frames whose small
pictures agree are candidates too, for frames with few features; each has a fixed number of these as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.data.case_pass import each
from bustle.data.relations.frame_features import (
    SAME_FRAMING,
    mirrored_descriptors,
    mirrored_thumbnail,
    unit_descriptors,
)
from bustle.data.relations.neighbour_index import NeighbourIndex
from bustle.data.relations.shelved_frames import Frames

_ASKING = 250
"""Features of a frame that ask for neighbours; all of them answer."""

_MIRRORED_ASKING = 200
_NEIGHBOURS = 8
_LEAVES = 32
_SAME_POINT = 0.06
"""Squared distance of the components of two descriptors that may show the same point. With a cosine of 0.96 they lie
0.08 apart in all dimensions, of which the components hold about three quarters."""

_VOTES = 6
_PICTURE_NEIGHBOURS = 16
_PICTURE_LEAVES = 512

Votes = tuple[NDArray[np.int64], NDArray[np.int64]]


class Candidate(NamedTuple):
    """Frames `first` < `second` by number, that may be copies; with `mirror`, one the mirrored copy of the other."""

    first: int
    second: int
    mirror: bool


def candidate_pairs(frames: Frames) -> list[Candidate]:
    """The pairs that are worth a comparison, straight ones first, in the order of their numbers."""
    if len(frames) < 2:
        return []
    features, pictures = _Features(frames), _Pictures(frames)
    return [
        Candidate(first, second, mirror)
        for mirror in (False, True)
        for first, second in sorted(features.pairs(mirror=mirror) | pictures.pairs(mirror=mirror))
    ]


class _Features:
    """The descriptors of all frames, numbered through: `_owner` is each one's frame, `_first` each frame's first."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        counts = [len(frame.descriptors) for frame in frames]
        self._owner = np.repeat(np.arange(len(counts)), counts)
        self._first = np.cumsum([0, *counts])
        self._index = NeighbourIndex(_Descriptors(frames), counts=counts) if len(self._owner) else None

    def pairs(self, *, mirror: bool) -> set[tuple[int, int]]:
        """Pairs (i, j), i < j, with enough votes of different features on both sides."""
        if self._index is None:
            return set()
        votes = each(
            range(len(self._frames)),
            lambda number: self._votes(number, mirror=mirror),
            description="searching for mirrored copies" if mirror else "searching for copies",
            unit="frame",
        )
        one, other = map(np.concatenate, zip(*votes, strict=True))
        owner = self._owner
        swapped = owner[one] > owner[other]
        left, right = np.where(swapped, other, one), np.where(swapped, one, other)
        # a pattern that repeats within a frame counts once: both frames must contribute enough distinct points
        by_left, by_right = self._enough(left, owner[right]), self._enough(right, owner[left])
        return by_left & {(i, j) for j, i in by_right}

    def _votes(self, number: int, *, mirror: bool) -> Votes:
        """The features of one frame that ask, and those of other frames that may show the same points."""
        assert self._index is not None
        asking = self._frames[number].descriptors[: _MIRRORED_ASKING if mirror else _ASKING]
        if not len(asking):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        question, answer = self._index.nearest(
            unit_descriptors(mirrored_descriptors(asking) if mirror else asking),
            at_most=_NEIGHBOURS,
            leaves=_LEAVES,
            within=_SAME_POINT,
        )
        apart = self._owner[answer] != number
        return self._first[number] + question[apart], answer[apart]

    def _enough(self, points: NDArray[np.int64], other: NDArray[np.int64]) -> set[tuple[int, int]]:
        """Pairs (i, j) in which enough different `points` of frame i met something in frame j, each one's `other`."""
        count = len(self._frames)
        distinct = np.unique(points * count + other)
        pairs, votes = np.unique(self._owner[distinct // count] * count + distinct % count, return_counts=True)
        return _as_pairs(pairs[votes >= _VOTES], count=count)


class _Descriptors:
    """The descriptors of each frame at unit length, read anew in each pass."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    def __iter__(self):
        return (unit_descriptors(frame.descriptors) for frame in self._frames)


class _Pictures:
    """The small pictures of all frames."""

    def __init__(self, frames: Frames) -> None:
        self._pictures = np.stack([frame.thumbnail for frame in frames])
        self._index = NeighbourIndex([self._pictures], counts=[len(self._pictures)])

    def pairs(self, *, mirror: bool) -> set[tuple[int, int]]:
        """Pairs (i, j), i < j, of pictures that agree."""
        asking = np.stack(list(map(mirrored_thumbnail, self._pictures))) if mirror else self._pictures
        asked, found = self._index.nearest(
            asking, at_most=_PICTURE_NEIGHBOURS, leaves=_PICTURE_LEAVES, within=2 * (1 - SAME_FRAMING)
        )
        agree = np.einsum("nd,nd->n", asking[asked], self._pictures[found]) > SAME_FRAMING
        low, high = np.minimum(asked, found), np.maximum(asked, found)
        return _as_pairs((low * len(asking) + high)[agree & (low < high)], count=len(asking))


def _as_pairs(numbers: NDArray[np.int64], *, count: int) -> set[tuple[int, int]]:
    return set(zip((numbers // count).tolist(), (numbers % count).tolist(), strict=True))
