"""From a plan to a breast, a scan and a `Sample`; one phantom volume from its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Geometry, Sample
from bustle.data.phantom.imaging import grey_values, time_gain_residue_db
from bustle.data.phantom.plan import random_stream
from bustle.data.phantom.volume_anatomy import (
    BreastLayers,
    ProbePosition,
    VoxelGrid,
    draw_breast_layers,
    voxel_grid,
)
from bustle.data.phantom.volume_imaging import Scanner
from bustle.data.phantom.volume_inclusions import ImplantedLesion
from bustle.data.phantom.volume_lesions import LesionBody, draw_lesion_body, draw_position
from bustle.data.phantom.volume_plan import VolumePlan, plan_volume
from bustle.data.phantom.volume_tissue import HealthyBreast, draw_findings


@dataclass(frozen=True)
class VolumeAnatomy:
    """What all views of a patient share, and where the probe lies in this one."""

    layers: BreastLayers
    lesion: LesionBody
    at: ProbePosition


def volume_anatomy(plan: VolumePlan) -> VolumeAnatomy:
    number = plan.patient.number
    layers = draw_breast_layers(random_stream(plan.seed, "volume-layers", number))
    lesion = draw_lesion_body(
        random_stream(plan.seed, "volume-lesion", number),
        plan.patient.lesion_kind,
        volume_mm3=plan.patient.lesion_mm3,
        layers=layers,
    )
    at = draw_position(random_stream(plan.seed, "volume-view", number, plan.view), plan.view, lesion)
    return VolumeAnatomy(layers, lesion, at)


def lesion_centre(anatomy: VolumeAnatomy, grid: VoxelGrid) -> tuple[float, float, float]:
    """Voxel indices (slice, depth, lateral) of the lesion's centre, to a tenth."""
    lesion = anatomy.lesion
    index = grid.index_of(lesion.s - anatomy.at.s, lesion.z, lesion.x - anatomy.at.x)
    first, second, third = (round(position, 1) for position in index)
    return first, second, third


def volume_slices(plan: VolumePlan, *, coarse: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """The slices of a volume and of its mask, each `depth x lateral`, one after the other.

    The voxel at the lesion's centre always belongs to the mask, however coarse the grid is.
    """
    grid, anatomy = voxel_grid(coarse), volume_anatomy(plan)
    number, device = plan.patient.number, plan.patient.device
    findings = draw_findings(random_stream(plan.seed, "volume-findings", number), anatomy.layers, voxel_grid(1))
    texture = random_stream(plan.seed, "volume-texture", number)
    breast = HealthyBreast(texture, anatomy.layers, findings, grid, anatomy.at)
    lesion = ImplantedLesion(texture, anatomy.lesion, grid, anatomy.at)
    scanner = Scanner(random_stream(plan.seed, "volume-scatterers", number, plan.view), grid, device)
    gain = (
        time_gain_residue_db(random_stream(plan.seed, "volume-time-gain", number), grid=grid.plane) + device.gain_db
    )
    middle = tuple(round(position) for position in lesion_centre(anatomy, grid))
    for index in range(grid.slices):
        maps = breast.maps(grid.s(index))
        mask = lesion.add(maps, grid.s(index))
        if index == middle[0]:
            mask[middle[1:]] = True
        grey = grey_values(scanner.detect(maps), gain, device=device)
        yield np.rint(grey * 255).astype(np.uint8), mask


def volume_geometry(grid: VoxelGrid) -> Geometry:
    """Array order for size and spacing; the slices lie along the third axis of the world, unturned."""
    identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    return Geometry(original_size=grid.size, spacing=grid.spacing, origin=(0.0, 0.0, 0.0), direction=identity)


def phantom_volume(index: int, *, seed: int, coarse: int = 1) -> Sample:
    """Volume `index` of the endless phantom set `seed`: a pure function, the same arguments give the same bytes.

    The image is uint8 `1 D H W` (slice, depth, lateral) with `coarse` times the scanner's voxel lengths; one
    lesion is in the mask. Raises `InputError` for a grid that cannot be.
    """
    grid, plan = voxel_grid(coarse), plan_volume(index, seed=seed)
    image, mask = np.empty((1, *grid.size), np.uint8), np.empty(grid.size, np.uint8)
    for number, (grey, inside) in enumerate(volume_slices(plan, coarse=coarse)):
        image[0, number], mask[number] = grey, inside
    return Sample(
        case_id=f"phantom/{plan.stem}",
        source="phantom",
        image=image,
        geometry=volume_geometry(grid),
        patient_id=plan.patient_id,
        label=plan.patient.label,
        lesion_mask=mask,
        lesion_labels=(plan.patient.label,),
        provenance={**plan.metadata(coarse=coarse), "lesion_centre": list(lesion_centre(volume_anatomy(plan), grid))},
    )
