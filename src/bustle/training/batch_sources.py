"""The batches of a training: of whole images, or of patches of volumes, as the recipe's data section says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe
from bustle.core.types import Batch
from bustle.data.prepared.cache import CaseCache
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.volume_augmentation import VolumeAugmentation
from bustle.training.batches import Assembly, Batches, DeviceAssembly, MemoryMapAssembly, balanced, normal_label
from bustle.training.location_labels import LocationLabels
from bustle.training.patches import PatchAssembly, PatchPlaces
from bustle.training.processes import ALONE, Share
from bustle.training.steps.build import build_step

Make = Callable[[NDArray[np.int64]], Batch]
"""Makes a batch of the cases at some positions of the cache."""


@dataclass(frozen=True)
class BatchSources:
    """`training(epoch)` are the batches of one epoch (from 0), `validation` those of every one, None without any."""

    training: Callable[[int], Batches]
    validation: Batches | None


def check_data(recipe: Recipe) -> None:
    """Raises `InputError` for augmentation, location labels or a training step that the recipe's data cannot have."""
    if isinstance(recipe.data, PatchData):
        VolumeAugmentation.from_components(recipe.augmentation, size=recipe.data.size)
        if recipe.data.location == "box":
            raise InputError("boxes do not locate lesions of volumes", remedy="use data.location: mask")
        if build_step(recipe.training.step).learns_unlocated:
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
    share: Share = ALONE,
) -> BatchSources:
    """The batches of the cases at `train` and `val`, made on `device`. An epoch is shuffled by (seed, epoch).

    Of a training batch it is the process's `share`; validation batches are whole.
    """
    used, section = np.concatenate([train, val]), recipe.data
    if isinstance(section, PatchData):
        augmented, plain = _patches(recipe, section, cache, locations, used, device)
    else:
        augmented, plain = _images(recipe, section, cache, locations, used, device)
    seed, size, balance = recipe.training.seed, recipe.training.batch_size, recipe.training.balance
    groups = [(cache.cases[i].source, int(cache.labels[i])) for i in train]

    def training(epoch: int) -> Batches:
        order = balanced(groups, balance=balance, seed=seed, epoch=epoch)
        return Batches(augmented(epoch), train[order], batch_size=size, share=share)

    return BatchSources(training, Batches(plain, val, batch_size=size) if len(val) else None)


def _images(
    recipe: Recipe,
    section: ImageData,
    cache: CaseCache,
    locations: LocationLabels,
    used: NDArray[np.int64],
    device: torch.device,
) -> tuple[Callable[[int], Make], Make]:
    """What makes the augmented batches of an epoch, and what makes batches of the images as they are."""
    seed = recipe.training.seed
    augmentation = Augmentation.from_components(recipe.augmentation, size=section.size)
    if device.type == "cpu":
        assembly: Assembly = MemoryMapAssembly(cache, section=section, locations=locations)
    else:
        assembly = DeviceAssembly(cache, section=section, locations=locations, device=device, positions=used)

    def augmented(positions: NDArray[np.int64], epoch: int) -> Batch:
        drawn = [
            augmentation.draw(
                cache.case_ids[int(i)],
                seed=seed,
                epoch=epoch,
                lesions=locations.mask(int(i)) if locations.present[i] else None,
            )
            for i in positions
        ]
        return assembly(positions, drawn)

    return lambda epoch: partial(augmented, epoch=epoch), lambda positions: assembly(positions, [])


def _patches(
    recipe: Recipe,
    section: PatchData,
    cache: CaseCache,
    locations: LocationLabels,
    used: NDArray[np.int64],
    device: torch.device,
) -> tuple[Callable[[int], Make], Make]:
    """What makes batches of an epoch's drawn patches, and what makes those of the validation's fixed ones."""
    seed = recipe.training.seed
    augmentation = VolumeAugmentation.from_components(recipe.augmentation, size=section.size)
    places = PatchPlaces(cache, section=section, locations=locations, normal=normal_label(section))
    assembly = PatchAssembly(cache, section=section, locations=locations, device=device, positions=used)

    def augmented(positions: NDArray[np.int64], epoch: int) -> Batch:
        patches = [places.drawn(int(i), seed=seed, epoch=epoch) for i in positions]
        drawn = [augmentation.draw(cache.case_ids[int(i)], seed=seed, epoch=epoch) for i in positions]
        return assembly(patches, drawn)

    def plain(positions: NDArray[np.int64]) -> Batch:
        return assembly([patch for i in positions for patch in places.for_validation(int(i))], [])

    return lambda epoch: partial(augmented, epoch=epoch), plain
