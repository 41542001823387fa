"""What each phantom case shows, decided without making a pixel.

Cases come in blocks of ten consecutive indices: four patients with 1, 2, 3 and 4 frames in a random order. One
patient of a block is benign, one malignant, one normal, and the fourth is benign with probability 0.8, else
malignant. So the mix of patients tends to 45 % benign, 30 % malignant, 25 % normal, every ten cases hold all three
classes, and the plan of any case costs the same however large its index is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bustle.core.errors import InputError
from bustle.core.types import Label

GENERATOR_VERSION = 1
"""Raised whenever the same (seed, index, size) gives other pixels than before."""

CASES_PER_BLOCK, PATIENTS_PER_BLOCK = 10, 4
SMALLEST_SIZE, LARGEST_SIZE = 32, 1024
LARGEST_COUNT = 100_000


@dataclass(frozen=True)
class Device:
    """Scanner settings, the same in all frames of a patient. Focus in mm, frequency in MHz, the rest in dB."""

    frequency_mhz: float
    focus_mm: float
    dynamic_range_db: float
    gain_db: float
    looks: int  # steered beams that are averaged (spatial compounding)


@dataclass(frozen=True)
class PatientPlan:
    """One patient: class, lesion kinds (the first is the main one), confusers, imaged depth and device."""

    number: int
    label: Label
    lesion_kinds: tuple[str, ...]
    confusers: tuple[str, ...]
    depth_mm: float
    device: Device

    def spacing(self, size: int) -> tuple[float, float]:
        """Millimetres per pixel (y, x) of a `size` x `size` image, which shows a square of the body."""
        step = round(self.depth_mm / size, 6)
        return step, step

    def metadata(self) -> dict[str, Any]:
        """What is in the pictures, and the device's settings, as plain JSON values."""
        return {
            "lesion_kinds": list(self.lesion_kinds),
            "confusers": list(self.confusers),
            "depth_mm": self.depth_mm,
            "frequency_mhz": self.device.frequency_mhz,
            "focus_mm": self.device.focus_mm,
            "dynamic_range_db": self.device.dynamic_range_db,
            "gain_db": self.device.gain_db,
            "looks": self.device.looks,
        }


@dataclass(frozen=True)
class CasePlan:
    """One frame of one patient; `frame` counts from 1."""

    index: int
    seed: int
    frame: int
    patient: PatientPlan

    @property
    def stem(self) -> str:
        return f"p{self.patient.number:04d}-{self.frame}"

    @property
    def patient_id(self) -> str:
        return f"p{self.patient.number:04d}"

    def spacing(self, size: int) -> tuple[float, float]:
        return self.patient.spacing(size)

    def metadata(self, size: int) -> dict[str, Any]:
        """All that determines the pixels, and the device's settings, as plain JSON values."""
        return {
            "generator_version": GENERATOR_VERSION,
            "seed": self.seed,
            "index": self.index,
            "size": size,
            "frame": self.frame,
            **self.patient.metadata(),
        }


def plan_case(index: int, *, seed: int) -> CasePlan:
    """The plan of case `index`, a pure function of both arguments. Raises `InputError` for negative ones."""
    if index < 0 or seed < 0:
        raise InputError("the seed and the number of phantom cases cannot be negative", remedy="use 0 or more")
    block, place = divmod(index, CASES_PER_BLOCK)
    rng = random_stream(seed, "block", block)
    frames = rng.permutation(np.arange(1, PATIENTS_PER_BLOCK + 1))
    fourth: Label = "benign" if rng.random() < 0.8 else "malignant"
    classes: list[Label] = ["benign", "malignant", "normal", fourth]
    order = rng.permutation(PATIENTS_PER_BLOCK)
    last = np.cumsum(frames)
    slot = int(np.searchsorted(last, place, side="right"))
    number = block * PATIENTS_PER_BLOCK + slot
    frame = place - int(last[slot] - frames[slot]) + 1
    return CasePlan(index, seed, frame, plan_patient(number, label=classes[order[slot]], seed=seed))


def plan_patient(number: int, *, label: Label, seed: int) -> PatientPlan:
    """Draw one patient; `number` counts from 0 through the whole set."""
    rng = random_stream(seed, "patient", number)
    depth = round(float(rng.uniform(38, 50)), 2)
    device = Device(
        frequency_mhz=round(float(rng.uniform(7, 12)), 1),
        focus_mm=round(float(rng.uniform(0.3, 0.6) * depth), 1),
        dynamic_range_db=round(float(rng.uniform(54, 70)), 0),
        gain_db=round(float(rng.normal(0, 2.5)), 1),
        looks=int(rng.choice([1, 2, 3], p=[0.25, 0.4, 0.35])),
    )
    confusers = tuple(name for name, chance in CONFUSERS.items() if rng.random() < chance)
    return PatientPlan(number, label, _lesion_kinds(rng, label), confusers, depth, device)


CONFUSERS = {"fat-lobule": 0.45, "ligament-shadow": 0.4, "nipple-shadow": 0.12, "rib": 0.3, "contact-loss": 0.25}
"""Things that look like a lesion or its shadow, and how often a patient has them."""


def _lesion_kinds(rng: np.random.Generator, label: Label) -> tuple[str, ...]:
    if label == "normal":
        return ()
    if label == "benign":
        main = rng.choice(["solid", "cyst", "irregular-benign"], p=[0.5, 0.35, 0.15])
        others, chance = ["solid", "cyst"], 0.1
    else:
        main = rng.choice(["spiculated", "angular", "circumscribed-malignant"], p=[0.42, 0.4, 0.18])
        others, chance = ["angular", "cyst"], 0.08
    second = [str(rng.choice(others))] if rng.random() < chance else []
    return (str(main), *second)


LESION_CLASS: dict[str, Label] = {
    "solid": "benign",
    "cyst": "benign",
    "irregular-benign": "benign",
    "spiculated": "malignant",
    "angular": "malignant",
    "circumscribed-malignant": "malignant",
}


def check_count(count: int, *, of: str) -> None:
    """Raises `InputError` for an empty set, and for one that nobody means."""
    if not 1 <= count <= LARGEST_COUNT:
        raise InputError(f"a phantom set cannot have {count} {of}", remedy=f"ask for 1 to {LARGEST_COUNT:,}")


def check_size(size: int) -> int:
    """`size`, or an `InputError` when no image of that size can be made."""
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise InputError(
            f"a phantom image cannot be {size} pixels wide",
            remedy=f"choose a size of {SMALLEST_SIZE} to {LARGEST_SIZE} pixels",
        )
    return size


STREAMS = (
    "block",
    "patient",
    "layers",
    "texture",
    "lesions",
    "view",
    "scatterers",
    "time-gain",
    "cine-plan",
    "cine-motion",
    "cine-surfaces",
    "cine-scatterers",
    "volume-block",
    "volume-patient",
    "volume-layers",
    "volume-lesion",
    "volume-view",
    "volume-texture",
    "volume-findings",
    "volume-scatterers",
    "volume-time-gain",
)


def random_stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """An independent random stream for one purpose, so that a change in one part leaves the others as they are."""
    key = (GENERATOR_VERSION, STREAMS.index(purpose), *numbers)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
