"""From a volume to a `Prediction` on its own grid: to cubic voxels, searched or looked at where told, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bustle.core.errors import InputError
from bustle.core.recipe import DataSection
from bustle.core.types import Geometry, LesionCandidate, Prediction
from bustle.data.preprocess import normalise
from bustle.data.volume_grid import cubic_geometry, map_to_original, parts_to_original, volume_to_cubic
from bustle.inference.backend import Backend, NetworkOutput
from bustle.inference.sliding_window import cut
from bustle.inference.volume_search import FoundLesion, Search, look_at, search, together, window_about


def predict_volume(
    image: NDArray[np.uint8],
    *,
    case_id: str,
    geometry: Geometry,
    centre: Sequence[float] | None,
    backend: Backend,
    data: DataSection,
    provenance: Mapping[str, Any],
) -> Prediction:
    """Predict a volume `C D H W`; with `centre` (voxels of its own grid) only the patch about it is looked at.

    The classes are those of the patch about the surest candidate. A network without a mask cannot search: without
    `centre` it raises `InputError`, as for an image and a volume without spacing.
    """
    geometry = cubic_geometry(geometry, section=data)
    volume = np.stack([volume_to_cubic(channel, geometry=geometry) for channel in image])

    def look(patch: NDArray[np.uint8]) -> NetworkOutput:
        masks, classes = backend.run(normalise(patch, section=data)[None])
        return NetworkOutput(None if masks is None else masks[0], None if classes is None else classes[0])

    place = None if centre is None else _on_cubic_grid(centre, geometry)
    meaning = backend.mask_meaning
    if meaning is None:
        if place is None:
            raise InputError(
                "this model outlines nothing and cannot search a volume", remedy="give the lesion's centre"
            )
        classes = look(cut(volume, window_about(place, size=data.size))).classes
        return _prediction(case_id, geometry, found=None, classes=classes, data=data, provenance=provenance)
    if place is None:
        found = search(volume, size=data.size, look=look, meaning=meaning)
    else:
        look_there = look_at(volume, place, size=data.size, look=look, meaning=meaning, whole=True)
        found = together([look_there], shape=volume.shape[1:])
    return _prediction(
        case_id, geometry, found=found, classes=found.looks[0].classes, data=data, provenance=provenance
    )


def _on_cubic_grid(centre: Sequence[float], geometry: Geometry) -> tuple[float, ...]:
    inside = len(centre) == 3 and all(
        -0.5 <= place < length - 0.5 for place, length in zip(centre, geometry.original_size, strict=True)
    )
    if not inside:
        raise InputError(
            f"the centre {list(centre)} does not lie in the volume of {list(geometry.original_size)} voxels",
            remedy="give it as slice, row (depth) and column, counted from 0",
        )
    return _scaled(centre, geometry.original_size, geometry.network_size)


def _scaled(place: Sequence[float], old: Sequence[int], new: Sequence[int] | None) -> tuple[float, ...]:
    """A voxel's place on another grid of the same extent."""
    assert new is not None
    return tuple((p + 0.5) * n / o - 0.5 for p, o, n in zip(place, old, new, strict=True))


def _prediction(
    case_id: str,
    geometry: Geometry,
    *,
    found: Search | None,
    classes: NDArray[np.float32] | None,
    data: DataSection,
    provenance: Mapping[str, Any],
) -> Prediction:
    named = None if classes is None else dict(zip(data.classes, map(float, classes), strict=True))
    prediction = Prediction(
        case_id=case_id,
        geometry=geometry,
        probability=None,
        mask=None,
        network_mask=None,
        class_probabilities=named,
        decision=max(named, key=named.__getitem__) if named else None,
        provenance=provenance,
    )
    if found is None:
        return prediction
    probability = map_to_original(found.probability, geometry=geometry)
    parts = parts_to_original(found.parts, geometry=geometry)
    parts[probability <= 0.5] = 0
    return dataclasses.replace(
        prediction,
        probability=probability,
        mask=parts > 0,
        network_mask=found.parts > 0,
        parts=parts,
        candidates=_candidates(found.looks, parts, geometry=geometry, data=data),
    )


def _candidates(
    looks: Sequence[FoundLesion], parts: NDArray[np.uint8], *, geometry: Geometry, data: DataSection
) -> tuple[LesionCandidate, ...]:
    assert geometry.spacing is not None
    assert geometry.network_size is not None
    voxels = np.bincount(parts.ravel(), minlength=len(looks) + 1)
    boxes = ndimage.find_objects(parts, max_label=len(looks))
    candidates = []
    for number, (found, box) in enumerate(zip(looks, boxes, strict=True), start=1):
        centre = _scaled(found.centre, geometry.network_size, geometry.original_size)
        if box is not None:
            inside = parts[box] == number
            centre = tuple(float(c) + s.start for c, s in zip(np.argwhere(inside).mean(axis=0), box, strict=True))
        nearest = [
            min(max(round(place), 0), length - 1)
            for place, length in zip(centre, geometry.original_size, strict=True)
        ]
        candidates.append(
            LesionCandidate(
                centre=centre,
                score=found.score,
                voxels=int(voxels[number]),
                volume_mm3=float(voxels[number] * math.prod(geometry.spacing)),
                box_start=tuple(nearest) if box is None else tuple(side.start for side in box),
                box_stop=tuple(n + 1 for n in nearest) if box is None else tuple(side.stop for side in box),
                class_probabilities=None
                if found.classes is None
                else dict(zip(data.classes, map(float, found.classes), strict=True)),
            )
        )
    return tuple(candidates)
