"""One fold of one run, done in this process or in another, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bustle.core.errors import InputError, TrainingInterruptedError
from bustle.core.progress import announce
from bustle.experiments.reproduction.runs import RowRun

if TYPE_CHECKING:
    from bustle.experiments.train import Folds


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the `folds` of a run that is open; `ends` (see `is_over`) is None where it is done in any case."""

    run: RowRun
    fold: int
    folds: Folds
    title: str
    ends: float | None


@dataclass(frozen=True)
class Done:
    """A part that has come back; `problem` is what it failed at."""

    run: RowRun
    fold: int
    problem: str | None = None


def is_over(ends: float | None) -> bool:
    """Whether the clock has reached `ends`: the clock, because parts are begun on other machines, too."""
    return ends is not None and time.time() >= ends


def do_part(part: Part) -> Done:
    """Train and score it, unless the time is up."""
    done = Done(part.run, part.fold)
    if is_over(part.ends):
        return done
    announce(f"bustle: {part.title}")
    try:
        part.folds(part.fold)
    except TrainingInterruptedError:
        raise
    except InputError as error:
        return replace(done, problem=error.in_results())
    return done
