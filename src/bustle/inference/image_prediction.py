"""From images to `Prediction`s on their own grids, in batches of the network's size."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData
from bustle.core.model_provenance import ModelProvenance
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.inference.backend import Backend
from bustle.inference.decision import decide, named
from bustle.inference.pipeline import Item
from bustle.inference.postprocess import bounded_lesion_probability, channels_on_original_grid


@dataclass(frozen=True)
class ImagePipeline:
    """Predicts images as `data` says they become inputs; see `Pipeline`. `provenance` goes into every prediction."""

    backend: Backend
    data: ImageData
    provenance: ModelProvenance

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None) -> None:
        """Raises `InputError` for a volume. A `centre` means nothing of an image, which is seen as a whole."""
        ImageGrid.of(geometry, section=self.data)

    def predict_many(self, items: Iterable[Item], *, batch_size: int) -> Iterator[Prediction]:
        remaining = iter(items)
        while batch := list(itertools.islice(remaining, batch_size)):
            grids = [ImageGrid.of(item.geometry, section=self.data) for item in batch]
            prepared = [grid.prepare(item.image) for item, grid in zip(batch, grids, strict=True)]
            images = np.stack([normalise(image, section=self.data) for image in prepared])
            masks, classes = self.backend.run(images)
            for i, (item, grid) in enumerate(zip(batch, grids, strict=True)):
                class_probabilities = named(None if classes is None else classes[i], classes=self.data.classes)
                yield Prediction(
                    case_id=item.case_id,
                    geometry=grid.geometry,
                    mapping=grid.mapping,
                    segmentation=None if masks is None else self._segmentation(masks[i], grid),
                    class_probabilities=class_probabilities,
                    decision=decide(class_probabilities),
                    provenance=self.provenance,
                )

    def _segmentation(self, channels: NDArray[np.float32], grid: ImageGrid) -> ImageSegmentation | None:
        """What the mask channels `K h w` mean; None where their meaning is not known."""
        meaning = self.backend.mask_meaning
        if meaning is None:
            return None
        native = channels_on_original_grid(channels, grid=grid)
        probability = bounded_lesion_probability(native, meaning=meaning)
        mask = meaning.lesion_mask(native)
        return ImageSegmentation(
            probability=probability,
            mask=mask,
            network_mask=meaning.lesion_mask(channels),
            lesions=grid.measure(mask, probability),
        )
