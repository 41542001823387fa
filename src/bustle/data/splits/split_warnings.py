"""What is wrong with a split that can be trained on all the same, as those made by hand may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bustle.core.recipe import Protocol
from bustle.core.types import Case
from bustle.data.splits.splits import Fold, Splits

NAMED = 3
"""So many of the cases or patients concerned stand in a warning."""


def split_warnings(splits: Splits, *, cases: Sequence[Case], protocol: Protocol) -> list[list[str]]:
    """For every fold what a reader of its figures must know; `LEAK` begins what makes them too good.

    That a published protocol divides patients, or chooses the epoch on the test part, its own caveats say.
    """
    unit_of = {case.case_id: _unit(case, splits.groups) for case in cases}
    label_of = {case.case_id: case.label for case in cases}
    return [
        [
            *_of_fold(fold, f"fold {number}", unit_of=unit_of, protocol=protocol),
            *_untaught(fold, f"fold {number}", label_of=label_of),
        ]
        for number, fold in enumerate(splits.folds)
    ]


def _of_fold(fold: Fold, name: str, *, unit_of: Mapping[str, str], protocol: Protocol) -> list[str]:
    found = []
    twice = [case for part in (fold.train, fold.val, fold.test) for case, count in Counter(part).items() if count > 1]
    if twice:
        found.append(f"{name} has {len(twice)} cases in a part more than once, which count as often ({_some(twice)})")
    if not fold.val and protocol.validation != "none":
        found.append(f"{name} has no validation part: its last epoch is kept, whichever is best")
    chosen_on = set(fold.val) & set(fold.test)
    if chosen_on and protocol.validation != "test":
        found.append(f"LEAK: {name} chooses its epoch on {len(chosen_on)} of its test cases ({_some(chosen_on)})")
    if protocol.group_by != "case":
        trained = {unit_of[case] for case in {*fold.train, *fold.val} - chosen_on}
        both = trained & {unit_of[case] for case in fold.test}
        if both:
            found.append(f"LEAK: {name} trains on {len(both)} patients that it is also tested on ({_some(both)})")
    return found


def _untaught(fold: Fold, name: str, *, label_of: Mapping[str, str | None]) -> list[str]:
    taught, asked = ({label_of[case] for case in part} - {None} for part in (fold.train, {*fold.val, *fold.test}))
    missing = sorted(str(label) for label in asked - taught)
    if not taught or not missing:
        return []
    return [f"{name} trains on no case of {', '.join(missing)}, which its other parts have"]


def _unit(case: Case, groups: Mapping[str, str]) -> str:
    """The patient, and of an unknown one the group of near-duplicates as the split names it."""
    return groups.get(case.case_id, case.case_id) if case.patient_id is None else f"{case.source}/{case.patient_id}"


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:NAMED]) + (", …" if len(listed) > NAMED else "")
