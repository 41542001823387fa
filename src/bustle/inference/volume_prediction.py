"""From a volume to a `Prediction` on its own grid: to cubic voxels, searched or looked at where told, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.types import Geometry, LesionCandidate, Prediction
from bustle.data.prepared.preprocess import normalise
from bustle.data.prepared.volume_grid import cubic_geometry, map_to_original, parts_to_original, volume_to_cubic
from bustle.inference.backend import Backend, NetworkOutput
from bustle.inference.decision import decide, named
from bustle.inference.sliding_window import cut
from bustle.inference.volume_search import NOT_DRAWN, FoundLesion, Search, look_at, search, together, window_about

BYTES_PER_VOXEL, BYTES_PER_CUBIC_VOXEL = 16, 14
"""Memory at the highest point: the map on the way back to the original grid, and those of the search."""


def predict_volume(
    image: NDArray[np.uint8],
    *,
    case_id: str,
    geometry: Geometry,
    centre: Sequence[float] | None,
    backend: Backend,
    data: PatchData,
    provenance: Mapping[str, Any],
) -> Prediction:
    """Predict a volume `C D H W` that passed `check_volume`.

    With `centre` (voxels of its own grid) only the patch about it is looked at. The classes are those of the patch
    about the surest candidate.
    """
    geometry = cubic_geometry(geometry, section=data)
    volume = np.stack([volume_to_cubic(channel, geometry=geometry) for channel in image])

    def look(patch: NDArray[np.uint8]) -> NetworkOutput:
        masks, classes = backend.run(normalise(patch, section=data)[None])
        return NetworkOutput(None if masks is None else masks[0], None if classes is None else classes[0])

    place = None if centre is None else _scaled(centre, geometry.original_size, geometry.network_size)
    meaning = backend.mask_meaning
    if meaning is None:
        assert place is not None
        classes = look(cut(volume, window_about(place, size=data.size))).classes
        found = None
    else:
        if place is None:
            found = search(volume, size=data.size, look=look, meaning=meaning)
        else:
            look_there = look_at(volume, place, size=data.size, look=look, meaning=meaning, whole=True)
            found = together([look_there], shape=volume.shape[1:])
        classes = found.looks[0].classes
    class_probabilities = named(classes, classes=data.classes)
    prediction = Prediction(
        case_id=case_id,
        geometry=geometry,
        probability=None,
        mask=None,
        network_mask=None,
        class_probabilities=class_probabilities,
        decision=decide(class_probabilities),
        centre=None if centre is None else tuple(centre),
        provenance=provenance,
    )
    return prediction if found is None else _with_maps(prediction, found, data=data)


def check_volume(
    geometry: Geometry, *, centre: Sequence[float] | None, data: PatchData, outlines: bool, free: int | None
) -> None:
    """Raises `InputError` for what `predict_volume` cannot do.

    That is an image, a volume without spacing, a `centre` outside of it, a search by a network that `outlines`
    nothing, and a volume for which `free` bytes of memory are too few.
    """
    cubic = cubic_geometry(geometry, section=data)
    if centre is None and not outlines:
        raise InputError("this model outlines nothing, it cannot search", remedy="give the lesion's centre")
    size = geometry.original_size
    if centre is not None and not all(-0.5 <= c < n - 0.5 for c, n in zip(centre, size, strict=True)):
        raise InputError(
            f"the centre {list(centre)} does not lie in the volume of {list(size)} voxels",
            remedy="give it as slice, row (depth) and column, counted from 0",
        )
    needed = BYTES_PER_VOXEL * math.prod(size) + BYTES_PER_CUBIC_VOXEL * math.prod(cubic.network_size or ())
    if free is not None and needed > free:
        raise InputError(
            f"needs {needed / 1e9:.1f} GB of memory to be predicted, {free / 1e9:.1f} GB are free",
            remedy="check the spacing in its header (--spacing states another), close other programs, or resample it",
        )


def _scaled(place: Sequence[float], old: Sequence[int], new: Sequence[int] | None) -> tuple[float, ...]:
    """A voxel's place on another grid of the same extent."""
    assert new is not None
    return tuple((p + 0.5) * n / o - 0.5 for p, o, n in zip(place, old, new, strict=True))


def _with_maps(prediction: Prediction, found: Search, *, data: PatchData) -> Prediction:
    """What was found on the network's grid, brought to the original one."""
    probability = map_to_original(found.probability, geometry=prediction.geometry)
    parts = parts_to_original(found.parts, geometry=prediction.geometry)
    parts[probability <= 0.5] = 0
    return dataclasses.replace(
        prediction,
        probability=probability,
        mask=parts > 0,
        network_mask=found.parts > 0,
        parts=parts,
        candidates=_candidates(found.looks, parts, geometry=prediction.geometry, data=data),
    )


def _candidates(
    looks: Sequence[FoundLesion], parts: NDArray[np.uint8], *, geometry: Geometry, data: PatchData
) -> tuple[LesionCandidate, ...]:
    assert geometry.spacing is not None
    assert geometry.network_size is not None
    boxes = ndimage.find_objects(parts, max_label=len(looks))
    candidates = []
    for number, (found, box) in enumerate(zip(looks, boxes, strict=True), start=1):
        centre = _scaled(found.centre, geometry.network_size, geometry.original_size)
        voxels = 0
        if box is not None:
            inside = parts[box] == number
            voxels = int(np.count_nonzero(inside))
            centre = tuple(float(c) + s.start for c, s in zip(np.argwhere(inside).mean(axis=0), box, strict=True))
        nearest = [
            min(max(round(place), 0), length - 1)
            for place, length in zip(centre, geometry.original_size, strict=True)
        ]
        candidates.append(
            LesionCandidate(
                centre=centre,
                score=found.score if voxels else min(found.score, NOT_DRAWN),
                voxels=voxels,
                volume_mm3=voxels * math.prod(geometry.spacing),
                box_start=tuple(nearest) if box is None else tuple(side.start for side in box),
                box_stop=tuple(n + 1 for n in nearest) if box is None else tuple(side.stop for side in box),
                class_probabilities=named(found.classes, classes=data.classes),
            )
        )
    return tuple(candidates)
