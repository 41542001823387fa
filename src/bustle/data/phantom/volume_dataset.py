"""Writes phantom volumes in the `folder` layout: images/ and masks/ as NRRD, and labels.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from bustle.core.files import write_text
from bustle.data.phantom.claimed_set import LABELS, claimed_set
from bustle.data.phantom.dataset import write_each
from bustle.data.phantom.plan import GENERATOR_VERSION
from bustle.data.phantom.volume_anatomy import voxel_grid
from bustle.data.phantom.volume_cases import lesion_centre, phantom_volume, volume_anatomy
from bustle.data.phantom.volume_plan import VolumePlan, plan_volumes
from bustle.io.volume import write_volume

CENTRE = ("centre_slice", "centre_depth", "centre_lateral")


def write_volume_set(
    out: Path, *, volumes: int, seed: int, coarse: int = 1, workers: int | None = None
) -> list[VolumePlan]:
    """Write `volumes` volumes below `out` and return their plans; an interrupted run continues where it stopped.

    A mask is 0 and 1. Each of the `workers` threads (default: the processors at hand) holds one volume, its mask and
    a copy for the file, about 0.2 GB at full size. Raises `InputError` when `out` holds anything but this very set.
    """
    plans = plan_volumes(volumes, seed=seed)
    voxel_grid(coarse)
    settings = {"generator_version": GENERATOR_VERSION, "seed": seed, "coarse": coarse, "volumes": volumes}
    with claimed_set(Path(out), settings) as written:
        missing = [plan for plan in plans if not all(path.is_file() for path in _files(out, plan))]
        if missing:
            written.reopen()
        write_each(missing, lambda plan: _write_case(out, plan, coarse=coarse), workers=workers)
        write_text(out / LABELS, _labels_table(plans, coarse=coarse))
    return plans


def _files(out: Path, plan: VolumePlan) -> list[Path]:
    return [out / part / f"{plan.stem}.nrrd" for part in ("images", "masks")]


def _write_case(out: Path, plan: VolumePlan, *, coarse: int) -> None:
    sample = phantom_volume(plan.index, seed=plan.seed, coarse=coarse)
    assert sample.lesion_mask is not None
    image, mask = _files(out, plan)
    write_volume(mask, sample.lesion_mask, geometry=sample.geometry)
    write_volume(image, sample.image[0], geometry=sample.geometry)


def _labels_table(plans: Sequence[VolumePlan], *, coarse: int) -> str:
    """Beside what the reader asks for: the view, the lesion's exact volume and the voxel of its centre, from 0."""
    grid, table = voxel_grid(coarse), io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["case_id", "label", "patient_id", "view", "volume_mm3", *CENTRE])
    for plan in plans:
        patient, centre = plan.patient, lesion_centre(volume_anatomy(plan), grid)
        writer.writerow([plan.stem, patient.label, plan.patient_id, plan.view, patient.lesion_mm3, *centre])
    return table.getvalue()
