"""From images to `Prediction`s on their own grids, in batches of the network's size."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.data_section import ImageData
from bustle.core.model_provenance import ModelProvenance
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.data.relations.frame_features import to_grey
from bustle.inference.backend import Backend
from bustle.inference.decided_outline import decided_outline, possible_lesions
from bustle.inference.decision import DecisionRule, most_probable, named
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.tissue import picture_frame
from bustle.inference.known_cases import NOTHING_KNOWN, KnownCases
from bustle.inference.mirrored_look import continued, is_cut_off, is_worth_it
from bustle.inference.picture_remarks import picture_remarks
from bustle.inference.picture_statistics import picture_statistics
from bustle.inference.pipeline import Item
from bustle.inference.postprocess import bounded_lesion_probability, channels_on_original_grid


@dataclass(frozen=True)
class ImagePipeline:
    """Predicts images as `data` says they become inputs; see `Pipeline`. `provenance` goes into every prediction.

    With a `rule`, each gets the answer that it leads to; it is for models that outline and classify. `known` is what
    the model remembers of its training.
    """

    backend: Backend
    data: ImageData
    provenance: ModelProvenance
    rule: DecisionRule | None = None
    known: KnownCases = NOTHING_KNOWN

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None) -> None:
        """Raises `InputError` for a volume. A `centre` means nothing of an image, which is seen as a whole."""
        ImageGrid.of(geometry, section=self.data)

    def predict_many(self, items: Iterable[Item], *, batch_size: int) -> Iterator[Prediction]:
        remaining = iter(items)
        while batch := list(itertools.islice(remaining, batch_size)):
            grids = [ImageGrid.of(item.geometry, section=self.data) for item in batch]
            prepared = [grid.prepare(item.image) for item, grid in zip(batch, grids, strict=True)]
            images = np.stack([normalise(image, section=self.data) for image in prepared])
            masks, classes, embeddings = self.backend.run(images)
            for i, (item, grid) in enumerate(zip(batch, grids, strict=True)):
                class_probabilities = named(None if classes is None else classes[i], classes=self.data.classes)
                drawn = None if masks is None else self._drawn(masks[i], grid)
                answer, seems_cut_off = None, False
                if self.rule is not None and drawn is not None and class_probabilities is not None:
                    own = drawn.mask
                    drawn, answer = self._answered(self.rule, item, grid, drawn, class_probabilities)
                    seems_cut_off = bool(answer.possible) and self._seems_cut_off(item.image, own)
                is_other_picture = answer is not None and not answer.possible
                remarks = picture_remarks(
                    item.image, lesions=() if drawn is None else drawn.lesions, seems_cut_off=seems_cut_off
                )
                yield Prediction(
                    case_id=item.case_id,
                    geometry=grid.geometry,
                    mapping=grid.mapping,
                    segmentation=drawn,
                    class_probabilities=class_probabilities,
                    decision=most_probable(class_probabilities) if answer is None else answer.decision,
                    answer=answer,
                    provenance=self.provenance,
                    remarks=(*remarks, *self.known.remarks(item.image)),
                    similar_cases=() if embeddings is None or is_other_picture else self.known.similar(embeddings[i]),
                )

    def _answered(
        self,
        rule: DecisionRule,
        item: Item,
        grid: ImageGrid,
        drawn: ImageSegmentation,
        class_probabilities: Mapping[str, float],
    ) -> tuple[ImageSegmentation, Answer]:
        """The answer, and what is drawn as it has it; the network's own mask is kept where that is another."""
        possible = possible_lesions(drawn.mask, drawn.probability, rule=rule.outline)
        answer = rule.answer(
            class_probabilities,
            peak=float(drawn.probability.max()),
            statistics=picture_statistics(item.image),
            lesion=None if rule.descriptors is None else largest_lesion(item.image, possible, grid.geometry),
        )
        mask = decided_outline(possible, answer=answer)
        if np.array_equal(mask, drawn.mask):
            return drawn, answer
        lesions = grid.measure(mask, drawn.probability)
        return dataclasses.replace(drawn, mask=mask, raw_mask=drawn.mask, lesions=lesions), answer

    def _seems_cut_off(self, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> bool:
        """Whether a second look, where the network's own `mask` asks for it, finds a lesion that an edge cuts off."""
        frame = picture_frame(to_grey(image))
        meaning = self.backend.mask_meaning
        if meaning is None or not is_worth_it(mask, frame=frame):
            return False
        larger = continued(image, frame=frame)
        grid = ImageGrid.of(Geometry(larger.shape[1:]), section=self.data)
        masks = self.backend.run(normalise(grid.prepare(larger), section=self.data)[None]).mask_channels
        if masks is None:
            return False
        outlined = meaning.lesion_mask(channels_on_original_grid(masks[0], grid=grid))
        return is_cut_off(outlined, mask, frame=frame)

    def _drawn(self, channels: NDArray[np.float32], grid: ImageGrid) -> ImageSegmentation | None:
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


def largest_lesion(
    image: NDArray[np.uint8], lesions: NDArray[np.bool_], geometry: Geometry
) -> dict[str, float | None] | None:
    """What is measured of the largest lesion of a mask `H W` in its image `C H W`; None of an empty mask."""
    found = describe_lesions(to_grey(image), lesions, spacing=geometry.spacing, at_most=1)
    return found[0].values() if found else None
