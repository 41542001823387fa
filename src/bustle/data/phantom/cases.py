"""From a plan to anatomy, masks and scan; one phantom case from its number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.types import Geometry, Sample
from bustle.data.phantom.anatomy import PixelGrid, View, draw_view
from bustle.data.phantom.imaging import display, envelope
from bustle.data.phantom.inclusions import add_confusers, add_lesions
from bustle.data.phantom.lesions import LesionShape, draw_lesions
from bustle.data.phantom.plan import CasePlan, PatientPlan, check_size, plan_case, random_stream
from bustle.data.phantom.tissue import Layers, draw_layers, healthy_tissue

ROWS_PER_COLUMN = 2
"""The pulse is shorter than the beam is wide, so the scan's rows lie closer together than its lines."""

FEWEST_LINES = 192
"""A smaller image is scanned with several lines per pixel: coarser ones would miss ligaments and fasciae."""

MARGIN_MM = 4.0
"""Tissue simulated beyond either side, so that the periodic convolution wraps outside the image."""


@dataclass(frozen=True)
class Anatomy:
    """What all frames of a patient share, and how this frame sees it."""

    layers: Layers
    lesions: tuple[LesionShape, ...]
    view: View


def patient_anatomy(patient: PatientPlan, view: View, *, seed: int) -> Anatomy:
    layers = draw_layers(random_stream(seed, "layers", patient.number), depth_mm=patient.depth_mm)
    lesions = draw_lesions(
        random_stream(seed, "lesions", patient.number),
        patient.lesion_kinds,
        gland=layers.gland_range(),
        depth_mm=patient.depth_mm,
    )
    return Anatomy(layers, lesions, view)


def case_anatomy(plan: CasePlan) -> Anatomy:
    view = draw_view(random_stream(plan.seed, "view", plan.patient.number, plan.frame), frame=plan.frame)
    return patient_anatomy(plan.patient, view, seed=plan.seed)


def anatomy_masks(
    patient: PatientPlan, anatomy: Anatomy, *, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Instance map of the lesions (uint8) and gland mask (bool), `size x size`, without making the image.

    Every lesion is one connected region; the gland includes the lesions, which arise in it.
    """
    step, _ = patient.spacing(size)
    body_z, body_x = anatomy.view.body_coordinates(*PixelGrid(size, size, step, step).coordinates())
    instances = np.zeros((size, size), np.uint8)
    for lesion in anatomy.lesions:
        inside = lesion.signed_distance(body_z, body_x, scale=anatomy.view.lesion_scale) < 0
        region = _largest_region(inside & (instances == 0))
        instances[region] = instances.max() + 1
    gland = anatomy.layers.gland_mask(body_z, body_x) | (instances > 0)
    return instances, gland


def _largest_region(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count, regions = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return regions == 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))


def scan_grid(patient: PatientPlan, *, size: int) -> tuple[PixelGrid, int]:
    """The scan's grid for an image of `size` pixels, and the columns of its margin on either side."""
    lines_per_pixel = math.ceil(FEWEST_LINES / size)
    line_mm = patient.spacing(size)[1] / lines_per_pixel
    margin = math.ceil(MARGIN_MM / line_mm)
    lines = size * lines_per_pixel
    return PixelGrid(lines * ROWS_PER_COLUMN, lines + 2 * margin, line_mm / ROWS_PER_COLUMN, line_mm), margin


def scan(
    patient: PatientPlan,
    anatomy: Anatomy,
    rng: np.random.Generator,
    *,
    seed: int,
    size: int,
    scatterers: Callable[[tuple[int, ...]], NDArray[np.complex64]] | None = None,
) -> NDArray[np.uint8]:
    """The B-mode image, uint8 `size x size`; `rng` and `scatterers` as in `envelope`."""
    grid, margin = scan_grid(patient, size=size)
    body_z, body_x = anatomy.view.body_coordinates(*grid.coordinates())
    texture = random_stream(seed, "texture", patient.number)
    maps = healthy_tissue(anatomy.layers, texture, grid=grid, body_z=body_z, body_x=body_x)
    add_confusers(maps, patient.confusers, texture, layers=anatomy.layers, grid=grid, body_z=body_z, body_x=body_x)
    add_lesions(maps, anatomy.lesions, texture, view=anatomy.view, body_z=body_z, body_x=body_x)
    detected = envelope(maps, rng, grid=grid, device=patient.device, scatterers=scatterers)
    sliders = random_stream(seed, "time-gain", patient.number)
    grey = display(detected, sliders, grid=grid, device=patient.device)[:, margin:-margin]
    image = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
    return np.rint(np.asarray(image) * 255).astype(np.uint8)


def phantom_case(index: int, *, seed: int, size: int = 256) -> Sample:
    """Case `index` of the endless phantom set `seed`: a pure function, the same arguments give the same bytes.

    The image is uint8 `1 size size`; all annotations are present. Raises `InputError` for a size that cannot be.
    """
    check_size(size)
    plan = plan_case(index, seed=seed)
    anatomy = case_anatomy(plan)
    instances, gland = anatomy_masks(plan.patient, anatomy, size=size)
    scatterers = random_stream(seed, "scatterers", plan.patient.number, plan.frame)
    return Sample(
        case_id=f"phantom/{plan.stem}",
        source="phantom",
        image=scan(plan.patient, anatomy, scatterers, seed=seed, size=size)[None],
        geometry=Geometry(original_size=(size, size), spacing=plan.spacing(size)),
        patient_id=plan.patient_id,
        label=plan.patient.label,
        lesion_mask=instances,
        lesion_labels=tuple(lesion.label for lesion in anatomy.lesions[: int(instances.max())]),
        gland_mask=gland,
        provenance=plan.metadata(size),
    )
