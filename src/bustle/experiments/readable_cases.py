"""Whether every case can be scored, asked before hours are spent on predictions: its files decode, its masks fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.types import Case, Sample
from bustle.data.case_pass import each_sample

SKIP = "leave such cases out with --skip-damaged"


@dataclass(frozen=True)
class ReadableCases:
    """`cases` can be read; `left_out` are the ids of the others, which `warnings` name with the reasons."""

    cases: tuple[Case, ...]
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def readable_cases(
    cases: Sequence[Case], *, skip_damaged: bool | None, check: Callable[[Sample], None] | None = None
) -> ReadableCases:
    """Decode every case once. `check` raises `InputError` for a sample that the model does not take.

    `skip_damaged` None: the command can leave none out. Raises `InputError` for those that cannot be read, each told
    in a line of its own where there are several, unless they are to be left out; and where none is left.
    """

    def checked(sample: Sample) -> InputError | None:
        try:
            if check is not None:
                check(sample)
        except InputError as error:
            return error
        return None

    damaged: dict[str, InputError] = {}
    for case, error in zip(cases, each_sample(cases, checked, description="check"), strict=True):
        if error is not None:
            error.path = error.path or next(iter(case.files), None)
            damaged[case.case_id] = error
    if not damaged:
        return ReadableCases(tuple(cases))
    if len(damaged) == len(cases) or not skip_damaged:
        raise _refused(damaged, of=len(cases), skip=None if skip_damaged is None else SKIP)
    reasons = "; ".join(f"{case_id} ({error.in_results()})" for case_id, error in damaged.items())
    warning = f"{len(damaged)} of {len(cases)} cases cannot be read and are left out: {reasons}"
    readable = tuple(case for case in cases if case.case_id not in damaged)
    return ReadableCases(readable, (warning,), left_out=tuple(damaged))


def _refused(damaged: Mapping[str, InputError], *, of: int, skip: str | None) -> InputError:
    (case_id, first), *others = damaged.items()
    if not others:
        problem = f"{first.problem} (case '{case_id}')"
        return InputError(
            problem, remedy=first.remedy if skip is None else f"{first.remedy}, or {skip}", path=first.path
        )
    for error in damaged.values():
        announce(f"bustle: {error}")
    remedy = skip if skip and len(damaged) < of else "check the data with `bustle data audit`"
    return InputError(f"{len(damaged)} of {of} cases cannot be read, such as '{case_id}'", remedy=remedy)
