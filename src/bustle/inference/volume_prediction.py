"""From a volume to a `Prediction` on its own grid: to cubic voxels, searched or looked at where told, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.memory import available_memory
from bustle.core.model_provenance import ModelProvenance
from bustle.core.network import MaskMeaning
from bustle.core.types import Geometry, LesionCandidate, Prediction, VolumeSegmentation
from bustle.data.prepared.intensities import normalise
from bustle.data.prepared.volume_grid import VolumeGrid
from bustle.inference.backend import Backend, NetworkOutput
from bustle.inference.decision import DecisionRule, most_probable, named
from bustle.inference.known_cases import NOTHING_KNOWN, KnownCases
from bustle.inference.pipeline import Item
from bustle.inference.sliding_window import cut, overlap_of
from bustle.inference.volume_search import (
    NOT_DRAWN,
    FoundLesion,
    PatchOutput,
    Search,
    look_at,
    part_about_peak,
    search,
    together,
    window_about,
)

BYTES_PER_VOXEL, BYTES_PER_CUBIC_VOXEL = 16, 14
"""Memory at the highest point: the map on the way back to the original grid, and those of the search."""


@dataclass(frozen=True)
class VolumePipeline:
    """Predicts volumes as `data` says they become inputs; see `Pipeline`. `provenance` goes into every prediction.

    With a `rule`, each gets the answer that it leads to; it is for models that outline and classify. `known` is what
    the model remembers of its training.
    """

    backend: Backend
    data: PatchData
    provenance: ModelProvenance
    rule: DecisionRule | None = None
    known: KnownCases = NOTHING_KNOWN

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None) -> None:
        """Raises `InputError` as `check_volume` does."""
        outlines = self.backend.mask_meaning is not None
        check_volume(geometry, centre=centre, data=self.data, outlines=outlines, free=available_memory())

    def predict_many(self, items: Iterable[Item], *, batch_size: int) -> Iterator[Prediction]:
        """One by one: a volume alone fills the memory."""
        for item in items:
            yield self.predict(item)

    def predict(self, item: Item) -> Prediction:
        """Predict a volume `C D H W` that passed `check`.

        With a `centre` (voxels of its own grid) only the patch about it is looked at. The classes are those of the
        patch about the surest candidate.
        """
        grid = VolumeGrid.of(item.geometry, section=self.data)
        found, classes = _found(
            grid.prepare(item.image),
            grid=grid,
            centre=item.centre,
            run=lambda patch: self.backend.run(normalise(patch, section=self.data)[None]),
            data=self.data,
            meaning=self.backend.mask_meaning,
        )
        class_probabilities = named(classes, classes=self.data.classes)
        drawn = None if found is None else _segmentation(found, grid=grid, data=self.data)
        answer = None
        if self.rule is not None and found is not None and drawn is not None and class_probabilities is not None:
            answer = self.rule.answer(class_probabilities, peak=drawn.candidates[0].score, statistics=(), lesion=None)
            drawn = _decided(drawn, found.looks[0], answer=answer, grid=grid)
        return Prediction(
            case_id=item.case_id,
            geometry=grid.geometry,
            mapping=grid.mapping,
            segmentation=drawn,
            class_probabilities=class_probabilities,
            decision=most_probable(class_probabilities) if answer is None else answer.decision,
            answer=answer,
            centre=item.centre,
            provenance=self.provenance,
            remarks=self.known.remarks(item.image),
        )


def check_volume(
    geometry: Geometry, *, centre: Sequence[float] | None, data: PatchData, outlines: bool, free: int | None
) -> None:
    """Raises `InputError` for what `VolumePipeline` cannot do.

    That is an image, a volume without spacing, a `centre` outside of it, a search by a network that `outlines`
    nothing, and a volume for which `free` bytes of memory are too few.
    """
    grid = VolumeGrid.of(geometry, section=data)
    if centre is None and not outlines:
        raise InputError("this model outlines nothing, it cannot search", remedy="give the lesion's centre")
    size = geometry.original_size
    if centre is not None and not all(-0.5 <= c < n - 0.5 for c, n in zip(centre, size, strict=True)):
        raise InputError(
            f"the centre {list(centre)} does not lie in the volume of {list(size)} voxels",
            remedy="give it as slice, row (depth) and column, counted from 0",
        )
    needed = BYTES_PER_VOXEL * math.prod(size) + BYTES_PER_CUBIC_VOXEL * math.prod(grid.mapping.network_size)
    if free is not None and needed > free:
        raise InputError(
            f"needs {needed / 1e9:.1f} GB of memory to be predicted, {free / 1e9:.1f} GB are free",
            remedy="check the spacing in its header (--spacing states another), close other programs, or resample it",
        )


def _found(
    volume: NDArray[np.uint8],
    *,
    grid: VolumeGrid,
    centre: Sequence[float] | None,
    run: Callable[[NDArray[np.uint8]], NetworkOutput],
    data: PatchData,
    meaning: MaskMeaning | None,
) -> tuple[Search | None, NDArray[np.float32] | None]:
    """What is drawn, None by a network without a mask, and the class probabilities of the surest place."""
    place = None if centre is None else grid.place_to_network(centre)
    if meaning is None:
        if place is None:
            raise ValueError("a network without a mask cannot search")
        return None, _first(run(cut(volume, window_about(place, size=data.size))).classes)

    def look(patch: NDArray[np.uint8]) -> PatchOutput:
        output = run(patch)
        if output.mask_channels is None:
            raise ValueError("the network gives no mask, although its channels have a meaning")
        return PatchOutput(output.mask_channels[0], _first(output.classes))

    if place is None:
        found = search(volume, size=data.size, look=look, meaning=meaning)
    else:
        look_there = look_at(volume, place, size=data.size, look=look, meaning=meaning, whole=True)
        found = together([look_there], shape=volume.shape[1:])
    return found, found.looks[0].classes


def _first(batch: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    return None if batch is None else batch[0]


def _segmentation(found: Search, *, grid: VolumeGrid, data: PatchData) -> VolumeSegmentation:
    """What was found on the network's grid, brought to the original one."""
    probability = grid.map_to_original(found.probability)
    parts = grid.parts_to_original(found.parts)
    parts[probability <= 0.5] = 0
    return VolumeSegmentation(
        probability=probability,
        parts=parts,
        network_mask=found.parts > 0,
        candidates=_candidates(found.looks, parts, grid=grid, data=data),
    )


def _decided(
    drawn: VolumeSegmentation, surest: FoundLesion, *, answer: Answer, grid: VolumeGrid
) -> VolumeSegmentation:
    """What is drawn as the answer has it: nothing, or where the network drew nothing what is suspected.

    The candidates keep the network's own scores.
    """
    if answer.draws_nothing == (not drawn.parts.any()):
        return drawn
    if answer.draws_nothing:
        parts = np.zeros_like(drawn.parts)
    else:
        suspected = np.zeros(grid.mapping.network_size, np.float32)
        inner, outer = overlap_of(surest.window, suspected.shape)
        suspected[outer] = part_about_peak(surest.probability[inner])
        parts = (grid.map_to_original(suspected) > 0.5).astype(np.uint8)
    places = [grid.place_to_network(candidate.centre) for candidate in drawn.candidates]
    measured = grid.measure(parts, places=places)
    return dataclasses.replace(
        drawn,
        parts=parts,
        raw_parts=drawn.parts,
        candidates=tuple(
            dataclasses.replace(candidate, **part._asdict())
            for candidate, part in zip(drawn.candidates, measured, strict=True)
        ),
    )


def _candidates(
    looks: Sequence[FoundLesion], parts: NDArray[np.uint8], *, grid: VolumeGrid, data: PatchData
) -> tuple[LesionCandidate, ...]:
    measured = grid.measure(parts, places=[found.centre for found in looks])
    return tuple(
        LesionCandidate(
            centre=part.centre,
            score=found.score if part.voxels else min(found.score, NOT_DRAWN),
            voxels=part.voxels,
            volume_mm3=part.volume_mm3,
            box_start=part.box_start,
            box_stop=part.box_stop,
            class_probabilities=named(found.classes, classes=data.classes),
        )
        for found, part in zip(looks, measured, strict=True)
    )
