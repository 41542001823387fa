"""Patches of volumes into batches: about which lesion or where else, augmented how - a function of (seed, epoch)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bustle.core.data_section import PatchData
from bustle.core.types import Batch
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.lesion_centres import lesion_centres
from bustle.data.transforms.augmentation import random_of_case
from bustle.data.transforms.torch_executor import on_device
from bustle.data.transforms.volume_augmentation import DrawnVolumeTransform
from bustle.data.transforms.volume_executor import cut_patch
from bustle.training.location_labels import LocationLabels
from bustle.training.normalisation import Normalisation

TRIES = 20
"""How often a place without a lesion's centre is sought before one with it is taken."""

Voxel = tuple[int, int, int]


@dataclass(frozen=True)
class Patch:
    """Where a patch lies in a case, before any augmentation moves it.

    `shows_lesion`: the centre of a lesion lies in it. `labelled`: the case's class holds for it.
    """

    position: int
    start: Voxel
    shows_lesion: bool
    labelled: bool


class PatchPlaces:
    """Chooses patches of cases whose lesions are known, or that are known to have none."""

    def __init__(self, cache: CaseCache, *, section: PatchData, locations: LocationLabels, normal: int | None):
        self.cache = cache
        self.section = section
        self.normal = normal
        self.locations = locations
        self.centres: dict[int, list[Voxel]] = {
            int(position): [_voxel(centre) for centre in lesion_centres(locations.mask(int(position)))]
            for position in np.flatnonzero(locations.present)
        }

    def about_lesion(self, position: int) -> Patch:
        """The patch about the largest lesion's centre, that about the middle of a case without lesions."""
        centres = self.centres.get(position, [])
        middle = [length // 2 for length in self.cache.lesion_masks[position].shape]
        return self._patch(position, centres[0] if centres else middle)

    def drawn(self, position: int, *, seed: int, epoch: int) -> Patch:
        """A patch with the centre of one of the lesions, or one without any, by the section's `lesion_share`."""
        random = random_of_case(f"{self.cache.case_ids[position]}\0patch", seed=seed, epoch=epoch)
        centres = self.centres[position]
        if centres and random.random() < self.section.lesion_share:
            centre = centres[int(random.integers(len(centres)))]
            offsets = random.uniform(-self.section.lesion_offset, self.section.lesion_offset, size=3)
            moved = [place + o * edge for place, o, edge in zip(centre, offsets, self.section.size, strict=True)]
            return self._patch(position, _voxel(moved))
        return self._elsewhere(position, random)

    def for_validation(self, position: int) -> list[Patch]:
        """The patch about the largest lesion and, where training sees others too, always the same one without any."""
        patches = [self.about_lesion(position)]
        if self.section.lesion_share < 1:
            random = random_of_case(f"{self.cache.case_ids[position]}\0elsewhere", seed=0, epoch=0)
            elsewhere = self._elsewhere(position, random)
            if not self._touches_lesion(elsewhere):
                patches.append(elsewhere)
        return patches

    def _touches_lesion(self, patch: Patch) -> bool:
        inside = tuple(
            slice(max(begin, 0), max(begin + edge, 0))
            for begin, edge in zip(patch.start, self.section.size, strict=True)
        )
        return bool(self.locations.mask(patch.position)[inside].any())

    def _elsewhere(self, position: int, random: np.random.Generator) -> Patch:
        """A patch without the centre of a lesion, if one is found in `TRIES`."""
        shape = self.cache.lesion_masks[position].shape
        patch = self._patch(position, random.integers(shape).tolist())
        for _ in range(TRIES):
            if not self._centres_in(patch.start, position):
                break
            patch = self._patch(position, random.integers(shape).tolist())
        return patch

    def _patch(self, position: int, centre: Sequence[int]) -> Patch:
        start = _voxel([place - length // 2 for place, length in zip(centre, self.section.size, strict=True)])
        shows_lesion = self._centres_in(start, position)
        about_the_case = self.cache.labels[position] == self.normal or shows_lesion
        return Patch(position, start, shows_lesion, labelled=bool(self.cache.has_label[position] and about_the_case))

    def _centres_in(self, start: Sequence[int], position: int) -> bool:
        return any(
            all(begin <= place < begin + size for place, begin, size in zip(c, start, self.section.size, strict=True))
            for c in self.centres.get(position, [])
        )


def _voxel(place: Sequence[float]) -> Voxel:
    d, h, w = map(round, place)
    return d, h, w


class PatchAssembly:
    """Makes batches of patches on one device; an accelerator keeps whole volumes as uint8 and is never waited for."""

    def __init__(
        self,
        cache: CaseCache,
        *,
        section: PatchData,
        locations: LocationLabels,
        device: torch.device,
        positions: NDArray[np.int64],
    ):
        self.cache = cache
        self.section = section
        self.has_mask = locations.present
        self.normalised = Normalisation(section, device=device)
        self.volumes = {int(i): _mapped(cache.images[i]).to(device) for i in positions}
        self.masks = {int(i): _mapped(locations.mask(int(i))).to(device) for i in positions}

    def __call__(self, patches: Sequence[Patch], drawn: Sequence[DrawnVolumeTransform]) -> Batch:
        """A batch of the patches; `drawn` holds one transform each, or nothing."""
        self.cache.check()
        cut = [
            cut_patch(
                self.volumes[patch.position],
                self.masks[patch.position],
                start=patch.start,
                size=self.section.size,
                drawn=drawn[place] if drawn else None,
            )
            for place, patch in enumerate(patches)
        ]
        image = self.normalised(torch.stack([image for image, _ in cut]))
        lesion_mask = torch.stack([mask for _, mask in cut]).long()
        device = image.device
        flags = [[patch.labelled, patch.shows_lesion, bool(self.has_mask[patch.position])] for patch in patches]
        labelled, shows_lesion, has_mask = on_device(torch.tensor(flags), device).unbind(dim=1)
        label = on_device(torch.tensor([int(self.cache.labels[patch.position]) for patch in patches]), device)
        # A patch that is turned or scaled may leave behind a lesion off its middle, and its class with it.
        has_label = labelled & (lesion_mask.flatten(1).any(dim=1) | ~shows_lesion)
        absent = torch.zeros(len(patches), dtype=torch.bool, device=device)
        return Batch(
            case_ids=[self.cache.case_ids[patch.position] for patch in patches],
            image=image,
            lesion_mask=lesion_mask,
            gland_mask=torch.zeros_like(image[:, 0]),
            label=torch.where(has_label, label, -1),
            has_mask=has_mask,
            has_gland=absent,
            has_box=absent,
            has_label=has_label,
        )


def _mapped(voxels: NDArray[np.uint8]) -> Tensor:
    """The same memory as a tensor, which is only ever read; torch warns that writing would not be safe."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(voxels))
