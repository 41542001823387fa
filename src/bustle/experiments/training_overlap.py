"""Whether a model has seen the cases that it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.files import read_json
from bustle.core.types import Case
from bustle.inference.package import Package, case_digest, is_package

SPLITS = "splits.json"


def training_overlap(model: Path, cases: Sequence[Case]) -> list[str]:
    """Warnings for cases that stand in the training or validation part of a run's folds (of one for `fold-K`)."""
    if is_package(model):
        digests = set(Package(model).record.seen_cases)
    else:
        digests = {case_digest(case_id) for case_id in seen_case_ids(model)}
    seen = [case.case_id for case in cases if case_digest(case.case_id) in digests]
    if not seen:
        return []
    return [
        f"LEAK: {len(seen)} of {len(cases)} cases were used to train or to choose this model "
        f"({', '.join(seen[:3])}{', …' if len(seen) > 3 else ''}); these figures are too good"
    ]


def seen_case_ids(model: Path) -> set[str]:
    """The cases that a run's folds, or the one fold `fold-K`, were trained or chosen on."""
    model = model.resolve()
    fold = int(model.name.removeprefix("fold-")) if model.name.startswith("fold-") else None
    path = (model if fold is None else model.parent) / SPLITS
    if not path.exists():
        return set()
    folds = read_json(path)["folds"]
    used = folds if fold is None else [folds[fold]]
    return {case_id for part in used for case_id in (*part["train"], *part["val"])}
