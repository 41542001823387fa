"""Phantom cine loops: short videos of a lesion in which the probe moves, with boxes on a few frames only.

Five consecutive videos show four patients, two benign and two malignant in turns; the last patient has two videos.
Every frame shows the lesion and is a pure function of (video, frame, seed, size).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.types import Box, Geometry, Label, Sample
from bustle.data.phantom.anatomy import Map, SmoothLine, View, draw_line
from bustle.data.phantom.cases import Anatomy, anatomy_masks, patient_anatomy, scan, scan_grid
from bustle.data.phantom.imaging import complex_normal
from bustle.data.phantom.plan import (
    GENERATOR_VERSION,
    PatientPlan,
    check_count,
    check_size,
    plan_patient,
    random_stream,
)

VIDEOS_PER_BLOCK, PATIENTS_PER_BLOCK = 5, 4
FEWEST_FRAMES, MOST_FRAMES = 24, 48
BOXED_FRACTION = 0.02
"""Of the frames of a video that have a box, one at least; in the videos of the LA-Net paper, 384 of 22202."""

FIRST_PATIENT = 1_000_000
"""Patients of cine loops are others than those of the still images of the same seed."""

FRAMES_OF_SPECKLE = 6
"""So many frames apart, the speckle has nothing in common."""


@dataclass(frozen=True)
class CinePlan:
    """One video: `take` counts a patient's videos from 1, `frames` is its length, `boxed` the frames with boxes."""

    index: int
    seed: int
    take: int
    frames: int
    boxed: tuple[int, ...]
    patient: PatientPlan

    @property
    def patient_id(self) -> str:
        return f"c{self.patient.number - FIRST_PATIENT:04d}"

    @property
    def video(self) -> str:
        return f"{self.patient_id}-{self.take}"

    def metadata(self, size: int) -> dict[str, Any]:
        """All that determines the pixels of the video, and the device's settings, as plain JSON values."""
        return {
            "generator_version": GENERATOR_VERSION,
            "seed": self.seed,
            "video": self.index,
            "size": size,
            **self.patient.metadata(),
        }


def plan_cine(index: int, *, seed: int) -> CinePlan:
    """The plan of video `index`, a pure function of both arguments. Raises `InputError` for negative ones."""
    if index < 0 or seed < 0:
        raise InputError("the seed and the number of phantom videos cannot be negative", remedy="use 0 or more")
    block, place = divmod(index, VIDEOS_PER_BLOCK)
    slot = min(place, PATIENTS_PER_BLOCK - 1)
    first = int(random_stream(seed, "cine-plan", 0, block).integers(2))
    label: Label = "malignant" if (slot + first) % 2 else "benign"
    patient = plan_patient(FIRST_PATIENT + block * PATIENTS_PER_BLOCK + slot, label=label, seed=seed)
    rng = random_stream(seed, "cine-plan", 1, index)
    frames = int(rng.integers(FEWEST_FRAMES, MOST_FRAMES + 1))
    boxed = rng.choice(frames, size=max(1, round(BOXED_FRACTION * frames)), replace=False)
    return CinePlan(index, seed, place - slot + 1, frames, tuple(sorted(boxed.tolist())), patient)


def plan_cines(count: int, *, seed: int) -> list[CinePlan]:
    """The first `count` videos of the set `seed`. Raises `InputError` as `check_count` does."""
    check_count(count, of="videos")
    return [plan_cine(index, seed=seed) for index in range(count)]


@dataclass(frozen=True)
class _Motion:
    """The probe's position over the frames: slow drifts, and a sweep of the image plane through the lesion."""

    shift_mm: SmoothLine
    compression: SmoothLine
    slope: SmoothLine
    wobble_phase: SmoothLine
    sweep: tuple[float, float]  # where the first and last frame cut the lesion, -1 to 1 of its depth

    def view(self, frame: int, *, frames: int) -> View:
        start, stop = self.sweep
        cut = start + (stop - start) * frame / (frames - 1)
        return View(
            shift_mm=_at(self.shift_mm, frame),
            compression=_at(self.compression, frame),
            slope=_at(self.slope, frame),
            wobble_mm=0.15,
            wobble_phase=_at(self.wobble_phase, frame),
            lesion_scale=float(np.sqrt(1 - cut**2)),
        )


def _at(line: SmoothLine, frame: int) -> float:
    where: Map = np.array([frame], np.float32)
    return float(line(where)[0])


def _draw_motion(rng: np.random.Generator) -> _Motion:
    # the lines' waves of 9 to 90 are frames here, not millimetres
    shift = draw_line(rng, base=float(rng.normal(0, 1)), amplitude=1.5)
    compression = draw_line(rng, base=1.0, amplitude=0.01)
    slope = draw_line(rng, base=0.0, amplitude=0.012)
    phase = draw_line(rng, base=float(rng.uniform(0, 2 * np.pi)), amplitude=0.5)
    start, stop = float(rng.uniform(-0.85, -0.5)), float(rng.uniform(0.5, 0.85))
    return _Motion(shift, compression, slope, phase, (start, stop) if rng.random() < 0.5 else (stop, start))


def cine_anatomy(plan: CinePlan, frame: int) -> Anatomy:
    """The patient's anatomy as `frame` (from 0) sees it. Raises IndexError beyond the last frame."""
    if not 0 <= frame < plan.frames:
        raise IndexError(f"video {plan.video} has no frame {frame}")
    motion = _draw_motion(random_stream(plan.seed, "cine-motion", plan.index))
    return patient_anatomy(plan.patient, motion.view(frame, frames=plan.frames), seed=plan.seed)


def cine_boxes(plan: CinePlan, frame: int, *, size: int) -> tuple[Box, ...] | None:
    """The boxes of the lesions in a `size` x `size` frame; None where the plan gives the frame none."""
    if frame not in plan.boxed:
        return None
    instances, _ = anatomy_masks(plan.patient, cine_anatomy(plan, frame), size=size)
    boxes = []
    for number in range(1, int(instances.max()) + 1):
        rows, columns = np.nonzero(instances == number)
        boxes.append(Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1))
    return tuple(boxes)


def cine_frame(plan: CinePlan, frame: int, *, size: int = 256) -> Sample:
    """One frame, uint8 `1 size size`, with its class, and boxes where the plan has them; no masks.

    Raises `InputError` for a size that cannot be.
    """
    check_size(size)
    anatomy = cine_anatomy(plan, frame)
    grid, _ = scan_grid(plan.patient, size=size)
    scatterers = _Scatterers(plan, frame, columns=round(anatomy.view.shift_mm / grid.column_mm))
    surfaces = random_stream(plan.seed, "cine-surfaces", plan.index)
    image = scan(plan.patient, anatomy, surfaces, seed=plan.seed, size=size, scatterers=scatterers)
    return Sample(
        case_id=f"phantom/{plan.video}#{frame}",
        source="phantom",
        image=image[None],
        geometry=Geometry(original_size=(size, size), spacing=plan.patient.spacing(size)),
        patient_id=plan.patient_id,
        label=plan.patient.label,
        boxes=cine_boxes(plan, frame, size=size),
        provenance={**plan.metadata(size), "frame": frame},
    )


class _Scatterers:
    """Fields of scatterers for one frame: they move sideways with the tissue, and others come into the plane.

    Every sixth frame has fields of its own, those between are mixtures of the fields before and after at unit power.
    """

    def __init__(self, plan: CinePlan, frame: int, *, columns: int):
        before, part = divmod(frame, FRAMES_OF_SPECKLE)
        self._angle = np.pi / 2 * part / FRAMES_OF_SPECKLE
        self._streams = [
            random_stream(plan.seed, "cine-scatterers", plan.index, number) for number in (before, before + 1)
        ]
        self._columns = columns

    def __call__(self, shape: tuple[int, ...]) -> NDArray[np.complex64]:
        before, after = (complex_normal(stream, shape) for stream in self._streams)
        mixed = before * np.float32(np.cos(self._angle)) + after * np.float32(np.sin(self._angle))
        return np.roll(mixed, -self._columns, axis=1).astype(np.complex64, copy=False)
