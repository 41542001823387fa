"""What each phantom volume shows, decided without making a voxel.

The set imitates the 170 automated breast ultrasound (ABUS) volumes of 107 patients of Zhou et al. 2021 (Medical
Image Analysis): volumes come in blocks of ten consecutive indices, seven of a malignant and three of a benign
lesion, which are the published 119 : 51, from six or seven patients, so that 170 volumes show 107. The plan of any
volume costs the same however large its index is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from bustle.core.errors import InputError
from bustle.core.types import Label
from bustle.data.phantom.plan import GENERATOR_VERSION, Device, check_count, random_stream

VOLUMES_PER_BLOCK, MALIGNANT_PER_BLOCK = 10, 7
PATIENTS_IN_17_BLOCKS = 107

MEDIAN_MM3, LOG_SIGMA = 827.0, 1.29
SMALLEST_MM3, LARGEST_MM3 = 26.0, 18022.0
"""A log-normal law, cut at the published extremes: 95 of 170 lesions of at most 1 cm3 (expected: 95.5), and the
extremes where 170 draws have them."""


@dataclass(frozen=True)
class VolumePatient:
    """One patient with one lesion; `number` counts from 0 through the whole set."""

    number: int
    label: Label
    lesion_kind: str
    lesion_mm3: float
    device: Device

    def metadata(self) -> dict[str, Any]:
        return {
            "lesion_kind": self.lesion_kind,
            "volume_mm3": self.lesion_mm3,
            "frequency_mhz": self.device.frequency_mhz,
            "focus_mm": self.device.focus_mm,
            "dynamic_range_db": self.device.dynamic_range_db,
            "gain_db": self.device.gain_db,
        }


@dataclass(frozen=True)
class VolumePlan:
    """One volume of one patient; `view` counts from 1 (other views lie further lateral or medial)."""

    index: int
    seed: int
    view: int
    patient: VolumePatient

    @property
    def stem(self) -> str:
        return f"v{self.patient.number:04d}-{self.view}"

    @property
    def patient_id(self) -> str:
        return f"v{self.patient.number:04d}"

    def metadata(self, *, coarse: int) -> dict[str, Any]:
        """All that determines the voxels, as plain JSON values."""
        return {
            "generator_version": GENERATOR_VERSION,
            "seed": self.seed,
            "index": self.index,
            "coarse": coarse,
            "view": self.view,
            **self.patient.metadata(),
        }


def plan_volumes(count: int, *, seed: int) -> list[VolumePlan]:
    """The first `count` volumes of the set `seed`. Raises `InputError` as `check_count` does."""
    check_count(count, of="volumes")
    return [plan_volume(index, seed=seed) for index in range(count)]


def plan_volume(index: int, *, seed: int) -> VolumePlan:
    """The plan of volume `index`, a pure function of both arguments. Raises `InputError` for negative ones."""
    if index < 0 or seed < 0:
        raise InputError("the seed and the number of phantom volumes cannot be negative", remedy="use 0 or more")
    block, place = divmod(index, VOLUMES_PER_BLOCK)
    first, beyond = (PATIENTS_IN_17_BLOCKS * number // 17 for number in (block, block + 1))
    rng = random_stream(seed, "volume-block", block)
    patients = beyond - first
    benign = 2 if patients == 6 else int(rng.integers(2, 4))
    malignant_views = _shares(rng, MALIGNANT_PER_BLOCK, patients - benign)
    benign_views = _shares(rng, VOLUMES_PER_BLOCK - MALIGNANT_PER_BLOCK, benign)
    order = rng.permutation(patients)
    views = np.array(malignant_views + benign_views)[order]
    last = np.cumsum(views)
    slot = int(np.searchsorted(last, place, side="right"))
    label: Label = "malignant" if order[slot] < len(malignant_views) else "benign"
    patient = plan_volume_patient(first + slot, label=label, seed=seed)
    return VolumePlan(index, seed, place - int(last[slot] - views[slot]) + 1, patient)


def _shares(rng: np.random.Generator, volumes: int, patients: int) -> list[int]:
    """Volumes per patient: one each, and the rest one by one to those who have least."""
    counts = [volumes // patients + (slot < volumes % patients) for slot in range(patients)]
    return [int(count) for count in rng.permutation(counts)]


def plan_volume_patient(number: int, *, label: Label, seed: int) -> VolumePatient:
    rng = random_stream(seed, "volume-patient", number)
    low, high = (float(ndtr(np.log(bound / MEDIAN_MM3) / LOG_SIGMA)) for bound in (SMALLEST_MM3, LARGEST_MM3))
    lesion_mm3 = MEDIAN_MM3 * np.exp(LOG_SIGMA * ndtri(rng.uniform(low, high)))
    kinds, chances = KINDS[label]
    device = Device(
        frequency_mhz=round(float(rng.uniform(8, 11)), 1),
        focus_mm=round(float(rng.uniform(12, 20)), 1),
        dynamic_range_db=round(float(rng.uniform(56, 68)), 0),
        gain_db=round(float(rng.normal(0, 2)), 1),
        looks=1,
    )
    return VolumePatient(number, label, str(rng.choice(kinds, p=chances)), round(float(lesion_mm3), 1), device)


KINDS: dict[Label, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "benign": (("solid", "cyst", "irregular-benign"), (0.6, 0.2, 0.2)),
    "malignant": (("spiculated", "angular", "circumscribed-malignant"), (0.42, 0.4, 0.18)),
}
