"""Who does the tasks of an archive: this process, or the processes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from bustle.core.progress import progress

Task = TypeVar("Task")


class Engine(Protocol):
    def run(
        self, work: Callable[[Task], None], tasks: Iterable[Task], *, description: str, total: int | None
    ) -> None:
        """Do `work` once for each task, in any order; `work` and tasks can be pickled.

        A task may be begun again where its process dies. Raises the `InputError` of the first that fails.
        """
        ...


class LocalEngine:
    """One task after another, in this process."""

    def run(
        self, work: Callable[[Task], None], tasks: Iterable[Task], *, description: str, total: int | None
    ) -> None:
        for task in progress(tasks, description=description, total=total, unit="part"):
            work(task)
