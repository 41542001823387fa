"""Several classes taken as one, where a recipe asks for it (normal against lesion, for example)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bustle.core.types import Case


def in_class_groups(cases: Sequence[Case], groups: Mapping[str, Sequence[str]]) -> tuple[Case, ...]:
    """The cases with the name of its group for every class that is in one; `groups` is a recipe's `class_groups`."""
    group_of = {name: group for group, members in groups.items() for name in members}
    return tuple(replace(case, label=group_of.get(case.label or "", case.label)) for case in cases)
