"""What a run is to do, decided before anything is trained: its split, the folds and their cases."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, Track
from bustle.core.tracks import TrackRules, Tracks
from bustle.core.types import Case, Collection
from bustle.data.class_groups import in_class_groups
from bustle.data.splits.split_file import read_splits
from bustle.data.splits.split_warnings import split_warnings
from bustle.data.splits.splits import Splits, make_splits
from bustle.experiments.annotation_check import check_annotations


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """How the cases are divided: as `made` (or as the file of it) says, or by the track's protocol.

    `folds` overrides the protocol's number; `holdout` makes one fold with that fraction as its test part.
    """

    track: Track = "strict"
    published_protocol: str | None = None
    folds: int | None = None
    holdout: float | None = None
    made: Splits | Path | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """The recipe, the split of its `cases` (all folds', in the collection's order), and the `numbers` of the folds.

    `warnings` are, fold by fold, what a reader of its figures must know of the split.
    """

    recipe: Recipe
    rules: Tracks[TrackRules]
    cases: Sequence[Case]
    splits: Splits
    numbers: Sequence[int]
    warnings: Sequence[Sequence[str]]


def plan_run(
    recipe: Recipe, collection: Collection, *, rules: Tracks[TrackRules], choice: SplitChoice, fold: int | None
) -> PlannedRun:
    """Every fold, or `fold` alone.

    Raises `InputError` for a split that does not fit the data, and for parts that lack what the recipe learns from.
    """
    protocol = rules.main.protocol
    grouped = in_class_groups(collection.cases, recipe.data.class_groups)
    collection = dataclasses.replace(collection, cases=grouped)
    splits = _splits(collection, recipe=recipe, protocol=protocol, choice=choice)
    cases = _cases_in(splits, collection)
    return PlannedRun(
        recipe=recipe,
        rules=rules,
        cases=cases,
        splits=splits,
        numbers=_numbers(splits, cases, fold=fold, recipe=recipe, protocol=protocol),
        warnings=split_warnings(splits, cases=cases, protocol=protocol),
    )


def _splits(collection: Collection, *, recipe: Recipe, protocol: Protocol, choice: SplitChoice) -> Splits:
    if choice.made is not None:
        file = choice.made if isinstance(choice.made, Path) else None
        splits = read_splits(choice.made) if isinstance(choice.made, Path) else choice.made
        if splits.track != choice.track or splits.protocol != protocol.id:
            raise InputError(
                f"was made for the track '{splits.track}' and the protocol '{splits.protocol}'",
                remedy=f"use --track {splits.track}"
                + (f" --protocol {splits.protocol}" if splits.track == "published" else ""),
                path=file,
            )
        return splits
    return make_splits(
        collection,
        protocol=protocol,
        track=choice.track,
        folds=choice.folds,
        holdout=choice.holdout,
        classes=recipe.data.classes,
        multi_mask=recipe.data.multi_mask,
    )


def _cases_in(splits: Splits, collection: Collection) -> list[Case]:
    """The cases of all folds, in the collection's order; raises `InputError` if the data lacks one."""
    wanted = {case_id for fold in splits.folds for part in (fold.train, fold.val, fold.test) for case_id in part}
    cases = [case for case in collection.cases if case.case_id in wanted]
    missing = wanted - {case.case_id for case in cases}
    if missing:
        raise InputError(
            f"the split names {len(missing)} cases that the data does not have, such as '{min(missing)}'",
            remedy="give the same --data as for the split",
        )
    return cases


def _numbers(
    splits: Splits, cases: Sequence[Case], *, fold: int | None, recipe: Recipe, protocol: Protocol
) -> Sequence[int]:
    """The folds to be trained, whose parts have what the recipe learns from; raises `InputError` otherwise."""
    if fold is not None and not 0 <= fold < len(splits.folds):
        raise InputError(f"there is no fold {fold}", remedy=f"folds count from 0 to {len(splits.folds) - 1}")
    numbers = range(len(splits.folds)) if fold is None else [fold]
    for number in numbers:
        check_annotations(splits.folds[number], title=f"fold {number}", cases=cases, recipe=recipe, protocol=protocol)
    return numbers
