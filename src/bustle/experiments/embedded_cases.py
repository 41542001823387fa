"""What a package is to keep of a model's training cases: they are found in the data again, and embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.image_sketch import ImageSketch
from bustle.core.progress import announce
from bustle.core.recipe import Recipe
from bustle.core.types import Case, Sample
from bustle.data.case_pass import each_sample
from bustle.data.class_groups import in_class_groups
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.data.relations.seen_images import image_sketch
from bustle.export.embedded_cases import EmbeddedCases, Kind, embed_cases
from bustle.inference.torch_backend import TorchBackend
from bustle.inference.training_cases import NEIGHBOURS

AT_ONCE = 8
WHOLE_DATA = "give the data that the model was trained on"


def embedded_cases(
    backend: TorchBackend, recipe: Recipe, cases: Sequence[Case], *, seen: Sequence[ImageSketch]
) -> EmbeddedCases:
    """The embeddings of those of `cases` whose images are among the `seen` ones, and whose class is known.

    Raises `InputError` where they are too few, and for a model of volumes or without a linear class head.
    """
    data = recipe.data
    if not isinstance(data, ImageData) or not backend.gives_class_features:
        what = "takes volumes" if not isinstance(data, ImageData) else "has no linear layer that gives its classes"
        raise InputError(f"{recipe.title} {what}", remedy="export it without its training cases")
    labelled = [case for case in in_class_groups(cases, data.class_groups) if case.label in data.classes]
    kinds: list[Kind] = []
    features: list[NDArray[np.float32]] = []
    batch: list[NDArray[np.float32]] = []
    for case, image in _seen_ones(labelled, data, contents={sketch.content for sketch in seen}):
        kinds.append(Kind(case.source, str(case.label)))
        batch.append(image)
        if len(batch) == AT_ONCE:
            features.append(backend.class_features(np.stack(batch)))
            batch.clear()
    if batch:
        features.append(backend.class_features(np.stack(batch)))
    if len(kinds) <= NEIGHBOURS:
        raise InputError(f"{len(kinds)} of these cases trained the model, too few to compare with", remedy=WHOLE_DATA)
    if len(kinds) < len(seen):
        announce(
            f"bustle: warning: {len(seen) - len(kinds)} of the {len(seen)} images that trained or chose the model "
            "are not among these cases, or their class is not known"
        )
    return embed_cases(np.concatenate(features), kinds)


def _seen_ones(
    cases: Sequence[Case], data: ImageData, *, contents: set[str]
) -> Iterator[tuple[Case, NDArray[np.float32]]]:
    """The cases whose images have one of these contents, as a network sees them; broken ones are passed over."""

    def look(sample: Sample) -> NDArray[np.float32] | None:
        if image_sketch(sample.image).content not in contents:
            return None
        return normalise(ImageGrid.of(sample.geometry, section=data).prepare(sample.image), section=data)

    found = each_sample(cases, look, description="embedding training cases")
    for case, image in zip(cases, found, strict=True):
        if image is not None and not isinstance(image, InputError):
            yield case, image
