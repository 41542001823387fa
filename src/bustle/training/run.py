"""Training of one fold, from cases to the weights of the chosen epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bustle.core.errors import InputError
from bustle.core.learning_curve import Row, write_learning_curve
from bustle.core.recipe import Protocol, Recipe
from bustle.core.run_layout import TrainingFolder
from bustle.core.types import Case
from bustle.data.prepared.cache import CaseCache
from bustle.data.splits.splits import Fold
from bustle.training.building import build_learner
from bustle.training.checkpoint import Checkpoint, read_checkpoint
from bustle.training.checks import check_recipe, choose_device
from bustle.training.loop import EpochLoop
from bustle.training.memory_allocator import keep_freed_memory
from bustle.training.selection import Selection
from bustle.training.stages import StageTraining, stages_of


@dataclass(frozen=True)
class TrainedFold:
    """A trained fold, or its last stage.

    `best_epoch` (from 1) is the one in `best.safetensors`, `history` the rows of `metrics.csv`.
    """

    folder: Path
    best_epoch: int
    epochs: int
    history: Sequence[Row]


def train_fold(
    recipe: Recipe,
    *,
    cases: Sequence[Case],
    fold: Fold,
    out: Path,
    protocol: Protocol,
    device: str = "auto",
    resume: bool = False,
    init: Path | None = None,
    title: str = "training",
    give_up: Callable[[Sequence[Row]], bool] | None = None,
) -> TrainedFold:
    """Train one fold into the folder `out`; `cases` must contain the fold's.

    The epoch is chosen on the fold's validation part; without one (or where the protocol has none) the last epoch
    is kept. `init` is a safetensors file of a whole model or an encoder to start from. With `resume` the training
    goes on after the last finished epoch of the stage that it stopped in. `give_up` is asked after each epoch of the
    last stage, with that stage's rows so far, whether to end there. Raises `InputError` when the loss is not
    finite, on Ctrl-C and when the disk is full; the checkpoint of the last finished epoch is there in all cases.
    """
    check_recipe(recipe)
    stages = stages_of(recipe, folder=out)
    chosen_device = [choose_device(device, precision=stage.recipe.training.precision) for stage in stages][-1]
    if chosen_device.type == "cpu":
        keep_freed_memory()
    if not resume and any(TrainingFolder(stage.folder).has_epoch for stage in stages):
        raise InputError("has a checkpoint already", remedy="continue it with --resume, or choose another", path=out)
    cache: CaseCache | None = None
    result: TrainedFold | None = None
    for stage in stages:
        files = TrainingFolder(stage.folder)
        begun = read_checkpoint(files.checkpoint) if files.has_epoch else None
        if begun is not None and begun.finished:
            result = TrainedFold(stage.folder, begun.selection.best_epoch, begun.epoch, begun.history)
            if not files.history.exists():
                write_learning_curve(files.history, begun.history)
        else:
            cache = cache or CaseCache.open(cases, section=recipe.data)
            result = _train_stage(
                stage,
                cache=cache,
                fold=fold,
                validated=protocol.validation != "none",
                device=chosen_device,
                init=init if result is None else TrainingFolder(result.folder).weights,
                begun=begun,
                title=title if stage.name is None else f"{title}, stage {stage.name}",
                give_up=give_up if stage is stages[-1] else None,
            )
    assert result is not None
    return result


def _train_stage(
    stage: StageTraining,
    *,
    cache: CaseCache,
    fold: Fold,
    validated: bool,
    device: torch.device,
    init: Path | None,
    begun: Checkpoint | None,
    title: str,
    give_up: Callable[[Sequence[Row]], bool] | None,
) -> TrainedFold:
    recipe = stage.recipe
    learner = build_learner(
        recipe,
        cache=cache,
        train=fold.train,
        val=fold.val if validated else (),
        located_only=stage.located_only,
        device=device,
        init=init,
        takes=stage.takes,
        resuming=begun is not None,
    )
    selection = Selection(recipe.training.monitor, recipe.training.patience)
    files = TrainingFolder(stage.folder)
    loop = EpochLoop(learner, files, selection, epochs=recipe.training.epochs, give_up=give_up)
    if begun is not None:
        loop.resume(begun)
    loop.run(title)
    return TrainedFold(stage.folder, selection.best_epoch, len(loop.history), loop.history)
