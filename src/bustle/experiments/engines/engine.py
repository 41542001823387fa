"""Independent tasks, such as the parts of an archive or the folds of a run, done one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from bustle.core.errors import InputError
from bustle.core.progress import progress

Task = TypeVar("Task")
Result = TypeVar("Result")


class Shown(NamedTuple):
    """How the bar calls the tasks, and how many they are; `have_bars`: each shows one of its own where it is done."""

    description: str
    unit: str
    total: int
    have_bars: bool = False


class Engine(Protocol):
    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        shown: Shown,
        each: Callable[[Result], None] | None = None,
    ) -> None:
        """Do `work` once for each task, in any order; `work`, tasks and what it returns can be pickled.

        `each` is called in this process with what `work` returned, as soon as a task is done. A task may be begun
        again where its process dies. Raises the `InputError` of the first that fails.
        """
        ...


class LocalEngine:
    """One task after another, in this process."""

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        shown: Shown,
        each: Callable[[Result], None] | None = None,
    ) -> None:
        if not shown.have_bars:
            tasks = progress(tasks, description=shown.description, total=shown.total, unit=shown.unit)
        for task in tasks:
            result = work(task)
            if each is not None:
                each(result)


def unseen(out: Path, *, machine: str | None = None) -> InputError:
    """For a folder on a disk that not all machines share; `machine` is one that lacks it, where it is known."""
    lacking = "" if machine is None else f" ({machine} does not)"
    return InputError(
        f"not all machines of the cluster see this folder{lacking}",
        remedy="choose an --out on a disk that they share, which has the same path on all of them",
        path=out,
    )
