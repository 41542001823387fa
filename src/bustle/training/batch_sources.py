"""The batches of a training: of whole images, or of patches of volumes, as the recipe's data section says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.recipe import DataSection, Recipe
from bustle.data.cache import CaseCache
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.volume_augmentation import VolumeAugmentation
from bustle.training.batches import DeviceAssembly, MemoryMapAssembly, TrainingBatches, ValidationBatches
from bustle.training.location_labels import LocationLabels
from bustle.training.patches import PatchAssembly, PatchPlaces, PatchTrainingBatches, PatchValidationBatches

UNLOCATED_STEPS = frozenset({"semi_supervised", "multimix"})


@dataclass(frozen=True)
class BatchSources:
    """`training(epoch)` are the batches of one epoch (from 0), `validation` those of every one, None without any."""

    training: Callable[[int], TrainingBatches | PatchTrainingBatches]
    validation: ValidationBatches | PatchValidationBatches | None


def check_data(recipe: Recipe) -> None:
    """Raises `InputError` for augmentation, location labels or a training step that the recipe's data cannot have."""
    if recipe.data.resize == "patch":
        VolumeAugmentation.from_components(recipe.augmentation, size=recipe.data.size)
        if recipe.data.location == "box":
            raise InputError("boxes do not locate lesions of volumes", remedy="use data.location: mask")
        if recipe.training.step.name in UNLOCATED_STEPS:
            raise InputError(
                f"training.step {recipe.training.step.name} learns from volumes without a mask, but nothing says "
                "where their patches may lie",
                remedy="use joint or refinement",
            )
    else:
        Augmentation.from_components(recipe.augmentation, size=recipe.data.size)


def batch_sources(
    recipe: Recipe,
    *,
    cache: CaseCache,
    locations: LocationLabels,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    device: torch.device,
) -> BatchSources:
    """The batches of the cases at `train` and `val`, made on `device`."""
    make = _of_patches if recipe.data.resize == "patch" else _of_images
    return make(recipe, cache=cache, locations=locations, train=train, val=val, device=device)


def _of_images(
    recipe: Recipe,
    *,
    cache: CaseCache,
    locations: LocationLabels,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    device: torch.device,
) -> BatchSources:
    section, training = recipe.data, recipe.training
    if device.type == "cpu":
        assembly: Any = MemoryMapAssembly(cache, section=section, locations=locations)
    else:
        used = np.concatenate([train, val])
        assembly = DeviceAssembly(cache, section=section, locations=locations, device=device, positions=used)
    batches = partial(
        TrainingBatches,
        assembly,
        train,
        case_ids=cache.case_ids,
        augmentation=Augmentation.from_components(recipe.augmentation, size=section.size),
        batch_size=training.batch_size,
        seed=training.seed,
    )
    validation = ValidationBatches(assembly, val, batch_size=training.batch_size) if len(val) else None
    return BatchSources(lambda epoch: batches(epoch=epoch), validation)


def _of_patches(
    recipe: Recipe,
    *,
    cache: CaseCache,
    locations: LocationLabels,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    device: torch.device,
) -> BatchSources:
    section, training = recipe.data, recipe.training
    places = PatchPlaces(cache, section=section, locations=locations, normal=_normal(section))
    assembly = PatchAssembly(
        cache, section=section, locations=locations, device=device, positions=np.concatenate([train, val])
    )
    batches = partial(
        PatchTrainingBatches,
        assembly,
        train,
        places=places,
        augmentation=VolumeAugmentation.from_components(recipe.augmentation, size=section.size),
        batch_size=training.batch_size,
        seed=training.seed,
    )
    validation = None
    if len(val):
        validation = PatchValidationBatches(assembly, val, places=places, batch_size=training.batch_size)
    return BatchSources(lambda epoch: batches(epoch=epoch), validation)


def _normal(section: DataSection) -> int | None:
    """The class of which every patch of a case is."""
    return section.classes.index("normal") if "normal" in section.classes else None
