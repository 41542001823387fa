"""Patient ids that look like one patient's, written in several ways."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_RUNS = re.compile(r"[^\W\d_]+|\d+")


def alike_patients(ids: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of two or more ids that differ only in case, separators and leading zeros (`PAT-7`, `pat_07`)."""
    groups: dict[tuple[str, ...], set[str]] = {}
    for patient in ids:
        runs = (run.lstrip("0") or "0" if run.isdigit() else run.casefold() for run in _RUNS.findall(patient))
        groups.setdefault(tuple(runs) or (patient,), set()).add(patient)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def alike_message(source: str, groups: list[tuple[str, ...]], by_id: Mapping[str, int]) -> str:
    shown = "; ".join(", ".join(f"'{patient}' ({by_id[patient]})" for patient in group) for group in groups[:3])
    more = f" and {len(groups) - 3} more" if len(groups) > 3 else ""
    return (
        f"{source}: patient ids look alike and count as different patients, which a split would part: {shown}{more} "
        "(cases); write each patient's id in one way"
    )
