"""`phantom:?cases=200&seed=0&size=256`, `?cine=8` and `?volumes=8`: cases that are made one by one when loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Sample
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.cine import cine_frame, plan_cine, plan_cines
from bustle.data.phantom.dataset import plan_cases
from bustle.data.phantom.plan import check_size
from bustle.data.phantom.volume_anatomy import voxel_grid
from bustle.data.phantom.volume_cases import phantom_volume
from bustle.data.phantom.volume_plan import plan_volumes
from bustle.data.sources import ReaderDescription

DESCRIPTION = ReaderDescription(
    title="Phantom: generated B-mode images, videos and volumes of the breast",
    layout="""
phantom:?cases=200&seed=0      nothing on the disk: each case is made when it is loaded
phantom:?cine=8&seed=0         frames of short videos, with boxes on a few of them
phantom:?volumes=8&coarse=2    ABUS volumes with lesion masks
""",
    licence="no restriction on the images",
    citation="",
    obtain="made by bustle itself; `bustle data phantom` writes the same cases as files",
    options={
        "cases": "number of cases (default 200)",
        "cine": "number of videos, instead of cases",
        "volumes": "number of ABUS volumes, instead of cases",
        "seed": "number of the set; the same seed gives the same bytes (default 0)",
        "size": "pixels per side of images and videos (default 256)",
        "coarse": "how many times as long as the scanner's the voxels of volumes are (default 1: 318 x 512 x 300)",
    },
)

DEFAULTS = {"cases": 200, "cine": 8, "volumes": 8, "seed": 0, "size": 256, "coarse": 1}

WHAT = ("cases", "cine", "volumes")

KEPT_CASES, KEPT_SIZE = 64, 256
"""How many cases are kept, and up to which size: 12 MB at most."""


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Plan the cases; no pixel is made before a case is loaded."""
    if path is not None:
        raise InputError(
            "the phantom reader takes no path", remedy=f"write phantom:?cases=200, or folder:{path}", path=path
        )
    given = [what for what in WHAT if what in options]
    if len(given) > 1:
        raise InputError(f"both {given[0]}= and {given[1]}= are given", remedy="leave out one of them")
    misplaced = "size" if "volumes" in options else "coarse"
    if misplaced in options:
        remedy = "use coarse=2 for half of the voxels" if misplaced == "size" else "use it with volumes="
        raise InputError(f"{misplaced}= does not go with {given[0] if given else 'cases'}=", remedy=remedy)
    numbers = {key: _whole_number(key, options.get(key, str(default))) for key, default in DEFAULTS.items()}
    seed, size = numbers["seed"], check_size(numbers["size"])
    if "volumes" in options:
        return Collection(_volumes(numbers["volumes"], seed=seed, coarse=numbers["coarse"], name=name))
    if "cine" in options:
        return Collection(_frames(numbers["cine"], seed=seed, size=size, name=name))
    cases = tuple(
        Case(
            case_id=f"{name}/{plan.stem}",
            source=name,
            load=partial(load_phantom, plan.index, seed=seed, size=size, name=name),
            patient_id=plan.patient_id,
            label=plan.patient.label,
            has_mask=True,
            has_gland=True,
            spacing=plan.spacing(size),
            metadata={"generator": "phantom", **plan.metadata(size)},
        )
        for plan in plan_cases(numbers["cases"], seed=seed)
    )
    return Collection(cases)


def _frames(videos: int, *, seed: int, size: int, name: str) -> tuple[Case, ...]:
    return tuple(
        Case(
            case_id=f"{name}/{plan.video}#{frame}",
            source=name,
            load=partial(load_cine_frame, plan.index, frame, seed=seed, size=size, name=name),
            patient_id=plan.patient_id,
            label=plan.patient.label,
            has_box=frame in plan.boxed,
            spacing=plan.patient.spacing(size),
            video=plan.video,
            frame=frame,
            metadata={"generator": "phantom cine", **plan.metadata(size), "frame": frame},
        )
        for plan in plan_cines(videos, seed=seed)
        for frame in range(plan.frames)
    )


def _volumes(volumes: int, *, seed: int, coarse: int, name: str) -> tuple[Case, ...]:
    spacing = voxel_grid(coarse).spacing
    return tuple(
        Case(
            case_id=f"{name}/{plan.stem}",
            source=name,
            load=partial(load_volume, plan.index, seed=seed, coarse=coarse, name=name),
            patient_id=plan.patient_id,
            label=plan.patient.label,
            has_mask=True,
            spacing=spacing,
            metadata={"generator": "phantom volume", **plan.metadata(coarse=coarse)},
        )
        for plan in plan_volumes(volumes, seed=seed)
    )


def load_phantom(index: int, *, seed: int, size: int, name: str) -> Sample:
    """The case, in arrays of its own.

    A trial of a few cases reads each of them many times, and making one takes a hundred times as long as a copy.
    """
    if size > KEPT_SIZE:
        return _renamed(phantom_case(index, seed=seed, size=size), name)
    kept = _kept_case(index, seed=seed, size=size)
    own = {field: getattr(kept, field).copy() for field in ("image", "lesion_mask", "gland_mask")}
    return _renamed(replace(kept, **own), name)


@lru_cache(maxsize=KEPT_CASES)
def _kept_case(index: int, *, seed: int, size: int) -> Sample:
    return phantom_case(index, seed=seed, size=size)


def load_cine_frame(video: int, frame: int, *, seed: int, size: int, name: str) -> Sample:
    return _renamed(cine_frame(plan_cine(video, seed=seed), frame, size=size), name)


def load_volume(index: int, *, seed: int, coarse: int, name: str) -> Sample:
    return _renamed(phantom_volume(index, seed=seed, coarse=coarse), name)


def _renamed(sample: Sample, name: str) -> Sample:
    return replace(sample, case_id=sample.case_id.replace("phantom", name, 1), source=name)


def _whole_number(option: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InputError(
            f"'{value[:40]}' is no whole number for {option}=", remedy=f"write, say, {option}={DEFAULTS[option]}"
        )
    return int(value)
