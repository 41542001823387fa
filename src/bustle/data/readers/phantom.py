"""`phantom:?cases=200&seed=0&size=256`: generated cases, made one by one when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.types import Case, Collection, Sample
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.dataset import plan_cases
from bustle.data.phantom.plan import check_size
from bustle.data.sources import ReaderDescription

DESCRIPTION = ReaderDescription(
    title="Phantom: generated B-mode images of the breast",
    layout="""
phantom:?cases=200&seed=0      nothing on the disk: each case is made when it is loaded
""",
    licence="no restriction on the images",
    citation="",
    obtain="made by bustle itself; `bustle data phantom` writes the same cases as files",
    options={
        "cases": "number of cases (default 200)",
        "seed": "number of the set; the same seed gives the same bytes (default 0)",
        "size": "pixels per side (default 256)",
    },
)

DEFAULTS = {"cases": 200, "seed": 0, "size": 256}


def read(path: Path | None, *, name: str, options: Mapping[str, str]) -> Collection:
    """Plan the cases; no pixel is made before a case is loaded."""
    if path is not None:
        raise InputError(
            "the phantom reader takes no path", remedy=f"write phantom:?cases=200, or folder:{path}", path=path
        )
    numbers = {key: _whole_number(key, options.get(key, str(default))) for key, default in DEFAULTS.items()}
    seed, size = numbers["seed"], check_size(numbers["size"])
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


def load_phantom(index: int, *, seed: int, size: int, name: str) -> Sample:
    sample = phantom_case(index, seed=seed, size=size)
    return replace(sample, case_id=sample.case_id.replace("phantom", name, 1), source=name)


def _whole_number(option: str, value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise InputError(
            f"'{value}' is no whole number for {option}=", remedy=f"write, say, {option}={DEFAULTS[option]}"
        )
    return int(value)
