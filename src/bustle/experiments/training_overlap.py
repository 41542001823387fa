"""Whether a model has seen the cases that it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.run_layout import named_run
from bustle.core.types import Case
from bustle.data.splits.split_file import read_splits
from bustle.inference.package import Package, case_digest, is_package


def training_overlap(model: Path, cases: Sequence[Case]) -> list[str]:
    """Warnings for cases that stand in the training or validation part of a run's folds (of one for `fold-K`)."""
    if is_package(model):
        digests = set(Package(model).record.seen_cases)
    elif not named_run(model).run.splits.exists():
        return ["the run has no record of its split: whether it was trained on some of the cases is not known"]
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
    """The cases that a run's folds, or the one fold `fold-K`, were trained or chosen on. Raises `InputError`."""
    run, fold = named_run(model)
    folds = read_splits(run.splits).folds
    if fold is not None and fold.number >= len(folds):
        problem = f"has {len(folds)} folds, none of them {fold.name}"
        raise InputError(problem, remedy="restore the split of this run", path=run.splits)
    used = folds if fold is None else [folds[fold.number]]
    return {case_id for part in used for case_id in (*part.train, *part.val)}
