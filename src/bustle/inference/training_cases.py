"""What a package keeps of the cases that its networks were trained on, so that the most similar ones can be named.

Of a case that is its class, its data set's name and one embedding: the features that the class head multiplies,
projected on few directions (principal components; Jolliffe, "Principal Component Analysis", 2002) and rounded to
whole numbers of a byte each.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bustle.core.similar_case import SimilarCase

MOST_BYTES = 256
"""Of one case's embedding."""

MOST = 127
NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class TrainingCases:
    """The embeddings of all cases by data set and class: bytes of int8, `width` a case, in base64.

    `unit` is the distance that counts as 1, see `SimilarCase`.
    """

    width: int
    unit: float
    embeddings: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MOST_BYTES or not 0 < self.unit < float("inf"):
            raise ValueError(f"width must be from 1 to {MOST_BYTES}, and unit above 0")
        if not len(self._vectors):
            raise ValueError("embeddings are of no case")

    def nearest(self, embedding: NDArray[np.float32], *, count: int = NEIGHBOURS) -> tuple[SimilarCase, ...]:
        """The `count` cases that lie nearest to the `embedding` `width` of an image, the nearest first."""
        distances = np.linalg.norm(self._vectors - rounded(embedding), axis=1) / self.unit
        found = []
        for place in np.argsort(distances, kind="stable")[:count]:
            source, name = self._kinds[place]
            found.append(SimilarCase(source=source, class_name=name, distance=float(distances[place])))
        return tuple(found)

    @property
    def count(self) -> int:
        return len(self._vectors)

    @cached_property
    def _kinds(self) -> list[tuple[str, str]]:
        """Of every case its data set and its class."""
        return [
            (source, name)
            for source, classes in self.embeddings.items()
            for name, packed in classes.items()
            for _ in range(len(base64.b64decode(packed)) // self.width)
        ]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """`count x width`, in the order of `_kinds`; raises `ValueError` for what is no such text."""
        found = [_unpacked(text, self.width) for classes in self.embeddings.values() for text in classes.values()]
        return np.concatenate([np.zeros((0, self.width), np.int8), *found]).astype(np.float32)


def rounded(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    """The whole numbers that an embedding is kept as."""
    return np.clip(np.rint(embedding), -MOST, MOST)


def packed(vectors: NDArray[np.int8]) -> str:
    """Embeddings `n width` as text; their order is that of their bytes, which tells nothing about the cases'."""
    return base64.b64encode(b"".join(sorted(vector.tobytes() for vector in vectors))).decode("ascii")


def _unpacked(text: str, width: int) -> NDArray[np.int8]:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"an embedding is not base64 ({error})") from None
    if len(content) % width:
        raise ValueError(f"embeddings must have {width} bytes each")
    return np.frombuffer(content, np.int8).reshape(-1, width)
