"""Cross-validation splits: which cases train, choose the epoch, and test, in every fold.

The rules of a protocol are its `Protocol`; whole groups are assigned so that every stratum (class,
and source where the protocol says so) is divided as evenly as the groups allow. Deterministic in the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bustle.core.errors import InputError, unknown_name
from bustle.core.recipe import Protocol, Track, protocol_of
from bustle.core.types import CLASS_NAMES, Case, Collection
from bustle.data.relations.duplicates import COPIES, RELATED, groups_of_pairs, related_frames
from bustle.data.relations.leak_groups import conflicting_groups, leak_groups, patient_groups
from bustle.data.splits.split_drawing import CaseTable, Drawing


@dataclass(frozen=True)
class Fold:
    """Case ids of the three parts. `val` may be empty, or the test part itself where the protocol says so."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Splits:
    """All folds of a run.

    `excluded` lists (case id, reason); `groups` maps every case that takes part to its group, the unit that the
    protocol never divides.
    """

    track: str
    protocol: str
    seed: int
    folds: tuple[Fold, ...]
    excluded: tuple[tuple[str, str], ...]
    groups: Mapping[str, str]


def protocol_of_split(track: Track, name: str | None = None) -> Protocol:
    """The protocol that a track splits by: its own, or the published one of that name (default: RMTL-Net's).

    Raises `InputError` for a name that is unknown or of the other track.
    """
    if track == "strict" and name not in (None, "strict"):
        raise InputError(
            f"the strict track has its own protocol, not '{name}'",
            remedy="add --track published, or leave out --protocol",
        )
    protocol = protocol_of(track, name or "rmtl")
    if track == "published" and protocol.id == "strict":
        raise InputError("'strict' is a track of its own", remedy="leave out --track published")
    return protocol


def make_splits(
    collection: Collection,
    *,
    protocol: Protocol,
    track: str,
    folds: int | None = None,
    holdout: float | None = None,
    seed: int | None = None,
    classes: tuple[str, ...] | None = None,
    multi_mask: str = "union",
) -> Splits:
    """Split a collection by a protocol.

    `folds` or `holdout` (one fold with that fraction as its test part) override the protocol's own. Cases of a
    class outside `classes` are left out, unlabelled ones stay; `multi_mask` = `drop` leaves out cases with several
    mask files. Where readers give cases the publishers' folds (`folds=official`), these are the test parts, and other
    cases are balanced around them. Raises `InputError` for settings that contradict each other and for too few
    groups.
    """
    _check_numbers(folds=folds, holdout=holdout, seed=seed)
    drawing = Drawing(protocol, seed=protocol.seed if seed is None else seed)
    excluded = _unwanted(collection.cases, classes=classes, multi_mask=multi_mask)
    group_of, conflicts = _groups(collection.cases, protocol)
    for name, reason in conflicts.items():
        excluded.setdefault(name, reason)
    cases = [case for case in collection.cases if case.case_id not in excluded]
    if not cases:
        raise InputError("no case is left to split", remedy="check the data and the classes")
    table = CaseTable(cases, {case.case_id: group_of[case.case_id] for case in cases}, protocol)
    tests = _test_parts(table, drawing, protocol=protocol, folds=folds, holdout=holdout)
    leaks: list[tuple[str, str]] = []
    made = tuple(Fold(*drawing.fold(table, tests, number, leaks)) for number in range(len(tests)))
    return Splits(
        track=track,
        protocol=protocol.id,
        seed=drawing.seed,
        folds=made,
        excluded=(*((c.case_id, excluded[c.case_id]) for c in collection.cases if c.case_id in excluded), *leaks),
        groups=table.group_of,
    )


def _test_parts(
    table: CaseTable, drawing: Drawing, *, protocol: Protocol, folds: int | None, holdout: float | None
) -> list[np.ndarray]:
    """The rows of every fold's test part: as the publishers say, else as is asked for, else as the protocol says."""
    official = _official(table.cases)
    if official:
        if holdout is not None or folds not in (None, len(set(official.values()))):
            raise InputError(
                f"the data has {len(set(official.values()))} official folds",
                remedy="leave out --folds and --holdout, or leave out folds=official",
            )
        return drawing.around_official(table, official)
    if protocol.official_folds:
        raise InputError(
            f"the protocol {protocol.id} tests on the publishers' folds, which the data does not name",
            remedy="read them with folds=official, as in bus-bra:PATH?folds=official",
        )
    if holdout is not None:
        return [drawing.holdout(table, holdout)]
    if folds is None and protocol.holdout is not None:
        return [drawing.holdout(table, protocol.holdout)] * protocol.folds
    return drawing.folds(table, folds or protocol.folds)


def _check_numbers(*, folds: int | None, holdout: float | None, seed: int | None) -> None:
    if folds is not None and holdout is not None:
        raise InputError("both folds and a holdout are asked for", remedy="give only one of them")
    if folds is not None and folds < 2:
        raise InputError(f"{folds} folds cannot be made", remedy="use at least 2, or --holdout with a fraction")
    if holdout is not None and not 0 < holdout < 1:
        raise InputError(f"the holdout is {holdout}", remedy="use a fraction between 0 and 1, such as 0.2")
    if seed is not None and seed < 0:
        raise InputError(f"the seed is {seed}", remedy="use 0 or more")


def _unwanted(cases: Sequence[Case], *, classes: tuple[str, ...] | None, multi_mask: str) -> dict[str, str]:
    """Reason by case id for the cases that take no part."""
    known = list(dict.fromkeys([*CLASS_NAMES, *(case.label for case in cases if case.label is not None)]))
    for name in classes or ():
        if name not in known:
            raise unknown_name("class", name, known)
    reasons: dict[str, str] = {}
    for case in cases:
        if classes is not None and case.label is not None and case.label not in classes:
            reasons[case.case_id] = f"class {case.label} is not among {', '.join(classes)}"
        elif multi_mask == "drop" and case.mask_files > 1:
            reasons[case.case_id] = f"has {case.mask_files} mask files"
    return reasons


def _groups(cases: Sequence[Case], protocol: Protocol) -> tuple[dict[str, str], dict[str, str]]:
    """The group of every case, and the reason for every case of a conflicting duplicate group."""
    pairs = ()
    if protocol.group_by == "leak_group" or protocol.exclude_conflicts:
        pairs = related_frames(cases)
    conflicts: dict[str, str] = {}
    if protocol.exclude_conflicts:
        for group in conflicting_groups(cases, groups_of_pairs(cases, pairs, relations=COPIES)):
            reason = f"copies of one frame carry different classes: {', '.join(group)}"
            conflicts |= dict.fromkeys(group, reason)
    if protocol.group_by == "case":
        return {case.case_id: case.case_id for case in cases}, conflicts
    if protocol.group_by == "patient":
        return patient_groups(cases), conflicts
    related = groups_of_pairs(cases, pairs, relations=RELATED)
    return leak_groups(cases, duplicate_groups=related), conflicts


def _official(cases: Sequence[Case]) -> dict[str, int]:
    """The official fold of the cases that have one, numbered 0, 1, … without gaps."""
    given = {case.case_id: case.official_fold for case in cases if case.official_fold is not None}
    rank = {fold: number for number, fold in enumerate(sorted(set(given.values())))}
    return {name: rank[fold] for name, fold in given.items()}
