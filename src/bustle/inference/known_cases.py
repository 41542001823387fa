"""What a model's package remembers of its training, asked about the image that it answers about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bustle.core.image_sketch import ImageSketch
from bustle.core.similar_case import SimilarCase
from bustle.data.relations.seen_images import SeenImages, image_sketch
from bustle.inference.training_cases import TrainingCases

SEEN = "seen in training"
COPY = "copy of an image seen in training?"
_REMARKS = {"same": SEEN, "alike": COPY}


@dataclass(frozen=True)
class KnownCases:
    """By what a model knows the `images` again that trained or chose it, and what it keeps of their `cases`."""

    images: Collection[ImageSketch] = ()
    cases: TrainingCases | None = None

    def remarks(self, image: NDArray[np.uint8]) -> tuple[str, ...]:
        """That an image `C H W` or volume `C D H W` was seen in training, or looks like a copy of one that was."""
        if not self.images:
            return ()
        relation = self._seen.relation(image_sketch(image))
        return () if relation is None else (_REMARKS[relation],)

    def similar(self, embedding: NDArray[np.float32] | None) -> tuple[SimilarCase, ...]:
        """The most similar training cases, the nearest first; none where nothing is kept of them."""
        return () if self.cases is None or embedding is None else self.cases.nearest(embedding)

    @cached_property
    def _seen(self) -> SeenImages:
        return SeenImages(self.images)


NOTHING_KNOWN = KnownCases()
