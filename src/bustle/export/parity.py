"""Whether an exported model answers as its networks do, on generated phantoms in batches of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.data.phantom.cases import phantom_case
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.intensities import normalise
from bustle.inference.backend import Backend, NetworkOutput
from bustle.inference.package import Parity
from bustle.inference.training_cases import MOST

TOLERANCE = 1e-4
"""The largest difference taken for rounding.

It is that of a probability, of a class map in units of its largest value, and of an embedding in units of the largest
number that is kept of a case: 0.0127 of the steps that embeddings are rounded to.
"""

BATCHES = (1, 2, 4)


def compare(
    networks: Backend,
    exported: Sequence[Backend],
    *,
    section: ImageData | PatchData,
    embed: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
) -> Parity:
    """`embed` gives the embeddings `B D` of normalised images, None for a package that keeps no training cases.

    Raises `InputError` where something differs by more than `TOLERANCE` in one of the libraries.
    """
    inputs = list(_phantom_batches(section))
    wanted = [networks.run(images)._replace(embeddings=None if embed is None else embed(images)) for images in inputs]
    maps = [networks.class_maps(images) for images in inputs] if networks.gives_class_maps else []
    return _worst(
        [_compare_one(wanted, maps, backend, inputs, meaning=networks.mask_meaning) for backend in exported]
    )


def _compare_one(
    wanted: Sequence[NetworkOutput],
    maps: Sequence[NDArray[np.float32]],
    exported: Backend,
    inputs: Sequence[NDArray[np.float32]],
    *,
    meaning: MaskMeaning | None,
) -> Parity:
    of_masks: list[float] = []
    of_classes: list[float] = []
    of_embeddings: list[float] = []
    flipped = pixels = 0
    for images, own in zip(inputs, wanted, strict=True):
        found = exported.run(images)
        of_masks += _largest(own.mask_channels, found.mask_channels)
        of_classes += _largest(own.classes, found.classes)
        of_embeddings += [largest / MOST for largest in _largest(own.embeddings, found.embeddings)]
        if own.mask_channels is not None and found.mask_channels is not None and meaning:
            masks = _masks(own.mask_channels, meaning)
            flipped += int((masks != _masks(found.mask_channels, meaning)).sum())
            pixels += masks.size
    found_maps = [exported.class_maps(images) for images in inputs] if exported.gives_class_maps else []
    if len(found_maps) != len(maps):
        raise ValueError("the networks and the exported model must both give class maps, or neither")
    scale = max((float(np.abs(values).max()) for values in maps), default=0.0)
    of_maps = [
        float(np.abs(own - found).max()) / scale if scale else 0.0
        for own, found in zip(maps, found_maps, strict=True)
    ]
    worst = float(np.max([*of_masks, *of_classes, *of_maps, *of_embeddings]))  # NaN where one is
    if not worst <= TOLERANCE:
        raise InputError(
            f"the exported model differs from its networks: in {exported.runtime} by up to {worst:.2g} in a "
            f"probability or of the largest value of a class map or an embedding, in {flipped} of {pixels} mask "
            "pixels",
            remedy="use the run folder itself, and report this network",
        )
    return Parity(
        runtimes=(exported.runtime,),
        batches=BATCHES,
        largest_mask_difference=max(of_masks, default=None),
        largest_class_difference=max(of_classes, default=None),
        largest_class_map_difference=max(of_maps, default=None),
        largest_embedding_difference=max(of_embeddings, default=None),
        flipped_pixels=flipped,
        pixels=pixels,
    )


def _worst(each: Sequence[Parity]) -> Parity:
    of_masks = [one.largest_mask_difference for one in each if one.largest_mask_difference is not None]
    of_classes = [one.largest_class_difference for one in each if one.largest_class_difference is not None]
    of_maps = [one.largest_class_map_difference for one in each if one.largest_class_map_difference is not None]
    of_embeddings = [one.largest_embedding_difference for one in each if one.largest_embedding_difference is not None]
    return Parity(
        runtimes=tuple(name for one in each for name in one.runtimes),
        batches=BATCHES,
        largest_mask_difference=max(of_masks, default=None),
        largest_class_difference=max(of_classes, default=None),
        largest_class_map_difference=max(of_maps, default=None),
        largest_embedding_difference=max(of_embeddings, default=None),
        flipped_pixels=max(one.flipped_pixels for one in each),
        pixels=each[0].pixels,
    )


def _largest(wanted: NDArray[np.float32] | None, found: NDArray[np.float32] | None) -> list[float]:
    if wanted is None and found is None:
        return []
    if wanted is None or found is None or wanted.shape != found.shape:
        return [float("inf")]
    return [float(np.abs(wanted - found).max())]


def _masks(channels: NDArray[np.float32], meaning: MaskMeaning) -> NDArray[np.bool_]:
    return np.stack([meaning.lesion_mask(one) for one in channels])


def _phantom_batches(section: ImageData | PatchData) -> Iterator[NDArray[np.float32]]:
    start = 0
    for count in BATCHES:
        inputs = [_phantom(index, section) for index in range(start, start + count)]
        start += count
        yield np.stack([normalise(values, section=section) for values in inputs])


def _phantom(index: int, section: ImageData | PatchData) -> NDArray[np.uint8]:
    """A phantom `C h w` on the network's grid; for volumes `C d h w`, moved on by a voxel from slice to slice."""
    sample = phantom_case(index, seed=0)
    if isinstance(section, ImageData):
        return ImageGrid.of(sample.geometry, section=section).prepare(sample.image)
    of_slice = ImageData(size=section.size[1:])
    plane = ImageGrid.of(sample.geometry, section=of_slice).prepare(sample.image)
    return np.stack([np.roll(plane, number, axis=-1) for number in range(section.size[0])], axis=1)
