"""From a network for patches about a lesion to the lesions of a whole volume.

The published system is shown a crop about the tumour that a person has found. Here the network finds it: it looks
through the whole volume in overlapping patches, then looks once more straight at every place that seemed suspicious,
as it was trained to, and what it says then counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bustle.core.network import MaskMeaning
from bustle.inference.postprocess import bounded_lesion_probability
from bustle.inference.sliding_window import Window, blended, cut, overlap_of

SUSPICIOUS = 0.25
"""The blended lesion probability from which on a place is looked at again."""

MOST_CANDIDATES = 10
NOT_DRAWN = 127 / 255
"""The most that a place may count where nothing is drawn: below a half, also when it is saved in 8 bits."""

TOUCHING = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner are one lesion."""


class PatchOutput(NamedTuple):
    """What a network says of one patch: probabilities of its mask channels `K d h w`, and of its classes `N`."""

    mask_channels: NDArray[np.float32]
    classes: NDArray[np.float32] | None


Look = Callable[[NDArray[np.uint8]], PatchOutput]
"""Runs a network with a mask on one patch `C d h w`."""


@dataclass(frozen=True)
class FoundLesion:
    """One look at a place: `centre` in voxels of the searched grid, the `window` that was looked at.

    `mask` (bool, the window's size) holds what is drawn there, `probability` its lesion map.
    """

    centre: tuple[float, ...]
    score: float
    window: Window
    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    classes: NDArray[np.float32] | None


@dataclass(frozen=True)
class Search:
    """What a search of a volume gives on its grid `d h w`: the lesion map and mask, and the looks, surest first.

    `parts` numbers the voxels of the mask by the looks that drew them (1 = the first).
    """

    probability: NDArray[np.float32]
    parts: NDArray[np.uint8]
    looks: tuple[FoundLesion, ...]


def window_about(centre: Sequence[float], *, size: tuple[int, ...]) -> Window:
    """The patch of `size` with a voxel in its middle: the training's own convention."""
    return Window(tuple(round(place) - edge // 2 for place, edge in zip(centre, size, strict=True)), size)


def search(volume: NDArray[np.uint8], *, size: tuple[int, ...], look: Look, meaning: MaskMeaning) -> Search:
    """Search a volume `C d h w` for lesions. Where nothing is suspicious, the most suspicious place is looked at."""

    def map_of(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return bounded_lesion_probability(look(patch).mask_channels, meaning=meaning)[None]

    suspicion = blended(volume, size=size, run=map_of)[0]
    looks = [
        look_at(volume, centre, size=size, look=look, meaning=meaning) for centre in suspicious_places(suspicion)
    ]
    return together(looks, shape=suspicion.shape)


def look_at(
    volume: NDArray[np.uint8],
    centre: Sequence[float],
    *,
    size: tuple[int, ...],
    look: Look,
    meaning: MaskMeaning,
    whole: bool = False,
) -> FoundLesion:
    """Look at the patch about a place. What is drawn is the part of the mask nearest to it, or all of it (`whole`).

    The score is the mean probability of what is drawn, or the greatest one near the centre where nothing is, which
    is then below a half.
    """
    window = window_about(centre, size=size)
    answer = look(cut(volume, window))
    probability = bounded_lesion_probability(answer.mask_channels, meaning=meaning)
    mask = np.zeros_like(probability, dtype=bool)
    inner, _ = overlap_of(window, volume.shape[1:])
    mask[inner] = meaning.lesion_mask(answer.mask_channels)[inner]
    middle = tuple(place - begin for place, begin in zip(centre, window.start, strict=True))
    if not whole:
        mask = _nearest_part(mask, middle)
    if mask.any():
        place = np.argwhere(mask).mean(axis=0)
        score = float(probability[mask].mean())
    else:
        place = np.array(middle)
        near = [
            slice(max(int(m) - edge // 8, 0), int(m) + edge // 8 + 1) for m, edge in zip(middle, size, strict=True)
        ]
        within = np.zeros_like(probability)
        within[inner] = probability[inner]
        score = min(float(within[tuple(near)].max()), NOT_DRAWN)
    found = tuple(float(value) + begin for value, begin in zip(place, window.start, strict=True))
    return FoundLesion(found, score, window, mask, probability, answer.classes)


def _nearest_part(mask: NDArray[np.bool_], place: Sequence[float]) -> NDArray[np.bool_]:
    """The connected part of a mask that comes closest to a place."""
    parts, count = _connected(mask)
    if count < 2:
        return mask
    voxels = np.argwhere(mask)
    nearest = voxels[np.square(voxels - np.asarray(place)).sum(axis=1).argmin()]
    return parts == parts[tuple(nearest)]


def part_about_peak(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The connected part of a lesion map `d h w` that holds its peak and exceeds half of it."""
    parts, _ = _connected(probability > probability.max() / 2)
    return parts == parts[np.unravel_index(int(probability.argmax()), probability.shape)]


def _connected(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """The connected parts of a mask by number from 1, and how many there are."""
    parts = np.empty(mask.shape, np.int32)
    count = ndimage.label(mask, structure=TOUCHING, output=parts)
    return parts, int(count)  # type: ignore[arg-type]


def suspicious_places(suspicion: NDArray[np.float32]) -> list[tuple[float, ...]]:
    """The centres of the connected places above `SUSPICIOUS`, by their most suspicious voxels; at least one place."""
    parts, count = _connected(suspicion > SUSPICIOUS)
    if count == 0:
        return [tuple(map(float, np.unravel_index(int(suspicion.argmax()), suspicion.shape)))]
    numbers = np.arange(1, count + 1)
    peaks = np.asarray(ndimage.maximum(suspicion, parts, numbers))
    chosen = numbers[np.argsort(-peaks, kind="stable")][:MOST_CANDIDATES]
    return [tuple(map(float, centre)) for centre in ndimage.center_of_mass(suspicion, parts, chosen)]


def together(looks: Sequence[FoundLesion], *, shape: tuple[int, ...]) -> Search:
    """All looks on one grid. Of looks that draw the same lesion the surest is kept."""
    probability = np.zeros(shape, np.float32)
    parts = np.zeros(shape, np.uint8)
    kept: list[FoundLesion] = []
    for found in sorted(looks, key=lambda one: -one.score):
        inner, outer = overlap_of(found.window, shape)
        if (found.mask[inner] & (parts[outer] > 0)).any():
            continue
        kept.append(found)
        parts[outer][found.mask[inner]] = len(kept)
        shown = np.where(found.mask, found.probability, np.minimum(found.probability, np.float32(NOT_DRAWN)))
        probability[outer] = np.maximum(probability[outer], shown[inner])
    return Search(probability, parts, tuple(kept))
