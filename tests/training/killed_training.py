"""Trains in a process of its own that kills itself in the middle of an epoch. Usage: OUT EPOCH BATCH."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from bustle.core.recipe import load_protocol, load_recipe
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold
from bustle.training import run
from bustle.training.learner import Learner


def main(out: Path, recipe: Path, specs: str, epoch: int, batch: int) -> None:
    whole_step = Learner.train_batch

    def deadly_step(learner: Learner, *arguments: Any, **moment: Any) -> None:
        whole_step(learner, *arguments, **moment)
        if moment["epoch"] == epoch and moment["number"] == batch:
            os.kill(os.getpid(), signal.SIGKILL)

    Learner.train_batch = deadly_step
    cases = open_sources([specs]).cases
    ids = [case.case_id for case in cases]
    fold = Fold(train=tuple(ids[:9]), val=tuple(ids[9:15]), test=tuple(ids[15:]))
    run.train_fold(
        load_recipe(str(recipe)), cases=cases, fold=fold, out=out, protocol=load_protocol("strict"), device="cpu"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
