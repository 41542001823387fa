"""Which pairs of frames are worth a geometric comparison, without comparing every pair.

Local features ask an index of all frames' features for their nearest neighbours; each neighbour that may show the
same point is a vote for its pair of frames. A feature has a fixed number of votes, so that the finds grow with the
number of frames and not with its square: what a scanner draws into each of its frames votes for a few of them and
not for all (as a text search passes over the words of every page; Sivic & Zisserman, ICCV 2003). Frames whose small
pictures agree, and the detail in them too, are candidates as well, for frames with few features; each has a fixed
number of these. The index is bounded: of very many frames, fewer features of each answer.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.case_pass import each
from bustle.data.relations.frame_features import (
    SAME_FRAMING,
    FrameFeatures,
    mirrored_descriptors,
    mirrored_thumbnail,
    unit_descriptors,
)
from bustle.data.relations.neighbour_index import NeighbourIndex
from bustle.data.relations.shelved_frames import Frames

_ASKING = 250
"""Features of a frame that ask for neighbours."""

_ANSWERING = 4_000_000
"""Features of all frames together that answer: all of 8,000 frames, 80 of each of 50,000."""

_MIRRORED_ASKING = 200
_NEIGHBOURS = 8
_LEAVES = 32
_SAME_POINT = 0.06
"""Squared distance of the components of two descriptors that may show the same point. With a cosine of 0.96 they lie
0.08 apart in all dimensions, of which the components hold about three quarters."""

_VOTES = 6
_PICTURE_NEIGHBOURS = 16
_PICTURE_LEAVES = 512
_DETAIL = 64
_DETAIL_SIGMA = 1.5
_TISSUE = 0.9
"""Share of tissue from which a pixel of the detail says something."""

_SAME_DETAIL = 0.2
"""Correlation of the detail of two frames whose small pictures agree, from which they may be copies or one scene."""

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
    """The descriptors of all frames, numbered through: `_owner` is each one's frame, `_first` each frame's first.

    The index has those that answer, with numbers of its own: `_numbers` are theirs among all.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        counts = [len(frame.descriptors) for frame in frames]
        self._owner = np.repeat(np.arange(len(counts)), counts)
        self._first = np.cumsum([0, *counts])
        limit = _ANSWERING // len(counts)
        answering = [min(count, limit) for count in counts]
        self._numbers = np.concatenate(
            [first + np.arange(n) for first, n in zip(self._first, answering, strict=False)]
        )
        self._index = NeighbourIndex(_Descriptors(frames, limit=limit), counts=answering) if any(answering) else None

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
        answer = self._numbers[answer]
        apart = self._owner[answer] != number
        return self._first[number] + question[apart], answer[apart]

    def _enough(self, points: NDArray[np.int64], other: NDArray[np.int64]) -> set[tuple[int, int]]:
        """Pairs (i, j) in which enough different `points` of frame i met something in frame j, each one's `other`."""
        count = len(self._frames)
        distinct = np.unique(points * count + other)
        pairs, votes = np.unique(self._owner[distinct // count] * count + distinct % count, return_counts=True)
        return _as_pairs(pairs[votes >= _VOTES], count=count)


class _Descriptors:
    """The first descriptors of each frame at unit length, read anew in each pass."""

    def __init__(self, frames: Frames, *, limit: int) -> None:
        self._frames, self._limit = frames, limit

    def __iter__(self):
        return (unit_descriptors(frame.descriptors[: self._limit]) for frame in self._frames)


class _Pictures:
    """The small pictures of all frames, and the detail in them."""

    def __init__(self, frames: Frames) -> None:
        self._details = np.empty((len(frames), _DETAIL, _DETAIL), np.float16)
        pictures = []
        for detail, frame in zip(self._details, frames, strict=True):
            detail[:] = _detail(frame)
            pictures.append(frame.thumbnail)
        self._pictures = np.stack(pictures)
        self._index = NeighbourIndex([self._pictures], counts=[len(self._pictures)])

    def pairs(self, *, mirror: bool) -> set[tuple[int, int]]:
        """Pairs (i, j), i < j, of pictures that agree in what is large and in what is small."""
        asking = np.stack(list(map(mirrored_thumbnail, self._pictures))) if mirror else self._pictures
        asked, found = self._index.nearest(
            asking, at_most=_PICTURE_NEIGHBOURS, leaves=_PICTURE_LEAVES, within=2 * (1 - SAME_FRAMING)
        )
        low, high = np.minimum(asked, found), np.maximum(asked, found)
        near = _as_pairs((low * len(asking) + high)[low < high], count=len(asking))
        alike = {(i, j) for i, j in near if asking[i] @ self._pictures[j] > SAME_FRAMING}
        return {(i, j) for i, j in alike if self._same_detail(i, j, mirror=mirror)}

    def _same_detail(self, first: int, second: int, *, mirror: bool) -> bool:
        one, other = self._details[[first, second]].astype(np.float32)
        return float(np.vdot(one, other[:, ::-1] if mirror else other)) > _SAME_DETAIL


def _detail(frame: FrameFeatures) -> NDArray[np.float16]:
    """What is finer than a twentieth of the frame, as a square picture of unit norm; 0 where there is no tissue."""
    if not frame.grey.size:
        return np.zeros((_DETAIL, _DETAIL), np.float16)
    grey, tissue = (
        cv2.resize(values.astype(np.float32), (_DETAIL, _DETAIL), interpolation=cv2.INTER_AREA)
        for values in (frame.grey, frame.tissue)
    )
    detail = (grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL_SIGMA)) * (tissue > _TISSUE)
    return (detail / max(1.0, float(np.linalg.norm(detail)))).astype(np.float16)


def _as_pairs(numbers: NDArray[np.int64], *, count: int) -> set[tuple[int, int]]:
    return set(zip((numbers // count).tolist(), (numbers % count).tolist(), strict=True))
