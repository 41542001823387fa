"""Prepared cases into batches: which cases, in which order, augmented how - all a function of (seed, epoch)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bustle.core.data_section import DataSection
from bustle.core.errors import InputError
from bustle.core.types import Batch
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.intensities import normalise
from bustle.data.transforms import opencv_executor, torch_executor
from bustle.data.transforms.drawn_transform import DrawnTransform
from bustle.training.location_labels import LocationLabels
from bustle.training.normalisation import Normalisation
from bustle.training.processes import ALONE, Share


def batch_positions(count: int, *, batch_size: int, least: int = 2) -> list[range]:
    """Cut `count` places into batches. A last one of less than `least` joins the one before: batch norm needs two."""
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] < least:
        starts.pop()
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], count], strict=True)]


def shuffled(count: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of an epoch, drawn anew from (seed, epoch), so that no epoch depends on the ones before."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def balanced(groups: Sequence[Hashable], *, balance: float, seed: int, epoch: int) -> NDArray[np.int64]:
    """As many places as there are `groups` (one per case), of rare groups more often: `TrainingSection.balance`.

    A case is taken as often as its expected number says, rounded up or down: chance decides only the rest.
    """
    order = shuffled(len(groups), seed=seed, epoch=epoch)
    if balance == 0:
        return order
    sizes = Counter(groups)
    expected = np.array([sizes[groups[place]] ** -balance for place in order])
    ends = np.cumsum(expected * len(groups) / expected.sum())
    ticks = np.arange(len(groups)) + np.random.default_rng([seed, epoch, 1]).random()
    taken = order[np.searchsorted(ends, ticks).clip(max=len(groups) - 1)]
    return taken[np.random.default_rng([seed, epoch, 2]).permutation(len(groups))]


class Assembly(Protocol):
    """Makes a batch of the cases at `positions` of the cache; `drawn` holds one transform per case, or nothing."""

    def __call__(self, positions: NDArray[np.int64], drawn: Sequence[DrawnTransform]) -> Batch: ...


class MemoryMapAssembly:
    """Batches from the memory map, one composed OpenCV warp per case."""

    def __init__(self, cache: CaseCache, *, section: DataSection, locations: LocationLabels):
        self.cache = cache
        self.section = section
        self.locations = locations

    def __call__(self, positions: NDArray[np.int64], drawn: Sequence[DrawnTransform]) -> Batch:
        cache = self.cache
        cache.check()
        images = [np.asarray(cache.images[i]) for i in positions]
        lesions = [self.locations.mask(int(i)) for i in positions]
        glands = [np.asarray(cache.gland_masks[i]) for i in positions]
        for place, transform in enumerate(drawn):
            masks = [lesions[place], glands[place]] if cache.has_gland[positions[place]] else [lesions[place]]
            images[place], masks = opencv_executor.apply(images[place], masks, transform)
            lesions[place] = masks[0]
            if len(masks) == 2:
                glands[place] = masks[1]
        return _batch(
            cache,
            positions,
            image=torch.from_numpy(normalise(np.stack(images), section=self.section)),
            lesion_mask=torch.from_numpy(np.stack(lesions)).long(),
            gland_mask=torch.from_numpy(np.stack(glands)).float(),
            annotations=_annotations(cache, positions, located=self.locations.present),
            drawn=drawn,
            normal=normal_label(self.section),
        )


class DeviceAssembly:
    """Batches on an accelerator that holds the given cases as uint8 and warps whole batches.

    Nothing here waits for the device: it is still busy with the step before while a batch is prepared.
    """

    def __init__(
        self,
        cache: CaseCache,
        *,
        section: DataSection,
        locations: LocationLabels,
        device: torch.device,
        positions: NDArray[np.int64],
    ):
        self.cache = cache
        self.device = device
        self.place_of = {int(position): place for place, position in enumerate(positions)}
        self.images = torch.from_numpy(cache.images[positions]).to(device)
        lesions = np.stack([locations.mask(int(position)) for position in positions])
        masks = np.stack([lesions, cache.gland_masks[positions]], axis=1)
        self.masks = torch.from_numpy(masks).to(device)
        annotations = _annotations(cache, positions, located=locations.present)
        self.annotations = {name: values.to(device) for name, values in annotations.items()}
        self.normalised = Normalisation(section, device=device)
        self.normal = normal_label(section)

    def __call__(self, positions: NDArray[np.int64], drawn: Sequence[DrawnTransform]) -> Batch:
        places = torch_executor.on_device(torch.tensor([self.place_of[int(p)] for p in positions]), self.device)
        images, masks = self.images[places], self.masks[places]
        if drawn:
            images, masks = torch_executor.apply(images, masks, drawn)
        return _batch(
            self.cache,
            positions,
            image=self.normalised(images),
            lesion_mask=masks[:, 0].long(),
            gland_mask=masks[:, 1].float(),
            annotations={name: values[places] for name, values in self.annotations.items()},
            drawn=drawn,
            normal=self.normal,
        )


def _annotations(
    cache: CaseCache, positions: NDArray[np.int64], *, located: NDArray[np.bool_]
) -> dict[str, torch.Tensor]:
    """Labels and flags of the cases, by their names in `Batch`."""
    columns = {
        "label": cache.labels,
        "has_mask": located,
        "has_gland": cache.has_gland,
        "has_box": cache.has_box,
        "has_label": cache.has_label,
    }
    return {name: torch.from_numpy(values[positions]) for name, values in columns.items()}


def _batch(
    cache: CaseCache,
    positions: NDArray[np.int64],
    *,
    image: torch.Tensor,
    lesion_mask: torch.Tensor,
    gland_mask: torch.Tensor,
    annotations: dict[str, torch.Tensor],
    drawn: Sequence[DrawnTransform],
    normal: int | None,
) -> Batch:
    """Put a batch together. Boxes do not follow an augmentation, so augmented batches have none."""
    augmented = bool(drawn)
    if augmented:
        annotations = annotations | {"has_box": torch.zeros_like(annotations["has_box"])}
    if any(transform.avoids_lesions for transform in drawn):
        annotations |= _labels_in_view(annotations, drawn, lesion_mask, normal=normal)
    return Batch(
        case_ids=[cache.case_ids[i] for i in positions],
        image=image,
        lesion_mask=lesion_mask,
        gland_mask=gland_mask,
        boxes=[[] if augmented or not cache.has_box[i] else list(cache.boxes[i]) for i in positions],
        **annotations,
    )


def _labels_in_view(
    annotations: dict[str, torch.Tensor],
    drawn: Sequence[DrawnTransform],
    lesion_mask: torch.Tensor,
    *,
    normal: int | None,
) -> dict[str, torch.Tensor]:
    """The labels of a batch in which some transforms avoid the lesions: where none is in view, it is a normal."""
    device = lesion_mask.device
    avoiding = torch_executor.on_device(torch.tensor([transform.avoids_lesions for transform in drawn]), device)
    emptied = avoiding & ~(lesion_mask > 0).flatten(1).any(dim=1)
    if normal is None:
        return {"has_label": annotations["has_label"] & ~emptied}
    label = torch.where(emptied, normal, annotations["label"])
    return {"label": label, "has_label": annotations["has_label"] | emptied}


def normal_label(section: DataSection) -> int | None:
    """The number of the class `normal`, None where the network does not know it."""
    return section.classes.index("normal") if "normal" in section.classes else None


class Batches:
    """The cases at the places `order` of the cache, in batches that `make` makes anew in each iteration.

    Of every batch, whose number of cases is in `sizes`, only the process's `share` is made.
    """

    def __init__(
        self,
        make: Callable[[NDArray[np.int64]], Batch],
        order: NDArray[np.int64],
        *,
        batch_size: int,
        share: Share = ALONE,
    ):
        self.make = make
        whole = batch_positions(len(order), batch_size=batch_size, least=max(2, share.count))
        self.sizes = [len(places) for places in whole]
        self.batches = [order[places][share.number :: share.count] for places in whole]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.make, self.batches)


def positions_of(cache: CaseCache, case_ids: Sequence[str]) -> NDArray[np.int64]:
    """Where these cases are in the cache; raises `InputError` for one that the data does not have."""
    known = set(cache.case_ids)
    missing = [case_id for case_id in case_ids if case_id not in known]
    if missing:
        raise InputError(
            f"the split names {len(missing)} cases that the data does not have, such as '{missing[0]}'",
            remedy="give the same --data as for the split",
        )
    return np.array([cache.index_of(case_id) for case_id in case_ids], np.int64)
