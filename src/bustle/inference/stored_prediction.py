"""A prediction as its files hold it, for scoring; whatever a foreign tool did not write is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.explanation import ExplanationMethod
from bustle.core.model_provenance import PredictionProvenance
from bustle.core.types import LesionCandidate
from bustle.data.prepared.grid import Grid


@dataclass(frozen=True)
class NetworkMask:
    """The mask bool `*s` on the network's `grid`."""

    mask: NDArray[np.bool_]
    grid: Grid


@dataclass(frozen=True)
class StoredImageMask:
    """What is drawn on an image: `mask` bool `H W` on its own grid, and how many lesions were measured in it.

    `raw` is what the network itself drew, where an answer changed that.
    """

    mask: NDArray[np.bool_]
    lesion_count: int | None = None
    network: NetworkMask | None = None
    raw: NDArray[np.bool_] | None = None

    @property
    def raw_mask(self) -> NDArray[np.bool_]:
        return self.mask if self.raw is None else self.raw

    @property
    def size(self) -> tuple[int, ...]:
        return self.mask.shape


@dataclass(frozen=True)
class StoredVolumeMask:
    """What is drawn in a volume: `parts` uint8 `D H W` numbers the mask's voxels by the `candidates`, from 1.

    Without `candidates` the numbers mean nothing. `raw` is what the network itself drew, numbered in the same way,
    where an answer changed that.
    """

    parts: NDArray[np.uint8]
    candidates: tuple[LesionCandidate, ...] | None = None
    network: NetworkMask | None = None
    raw: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, ...]:
        return self.parts.shape

    @property
    def mask(self) -> NDArray[np.bool_]:
        return self.parts > 0

    @property
    def raw_parts(self) -> NDArray[np.uint8]:
        return self.parts if self.raw is None else self.raw

    @property
    def raw_mask(self) -> NDArray[np.bool_]:
        return self.raw_parts > 0

    @property
    def lesion_count(self) -> int | None:
        """At how many of the candidates something is drawn."""
        return None if self.candidates is None else sum(candidate.voxels > 0 for candidate in self.candidates)


@dataclass(frozen=True)
class StoredPrediction:
    """A prediction read back from files; `segmentation` is None where no mask was written.

    `explained_by` are the methods of its explanations, `channels` the maps of its network.
    `input_sha256` is the digest of what was predicted, `centre` the place that the model was told. `provenance` is
    None where nothing is said about the model.
    """

    segmentation: StoredImageMask | StoredVolumeMask | None
    class_probabilities: Mapping[str, float] | None = None
    decision: str | None = None
    answer: Answer | None = None
    explained_by: tuple[ExplanationMethod, ...] = ()
    channels: tuple[str, ...] = ()
    centre: tuple[float, ...] | None = None
    input_sha256: str | None = None
    provenance: PredictionProvenance | None = None
    remarks: tuple[str, ...] = ()


def empty_mask(size: tuple[int, ...]) -> StoredImageMask | StoredVolumeMask:
    """That nothing is drawn on an image or in a volume of this size."""
    if len(size) == 2:
        return StoredImageMask(np.zeros(size, bool), lesion_count=0)
    return StoredVolumeMask(np.zeros(size, np.uint8), candidates=())
