"""Training of one fold, from cases to the weights of the chosen epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
from bustle.training.processes import ALONE, Share, in_processes
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
    devices: int = 1,
) -> TrainedFold:
    """Train one fold into the folder `out`; `cases` must contain the fold's.

    The epoch is chosen on the fold's validation part; without one (or where the protocol has none) the last epoch
    is kept. `init` is a safetensors file of a whole model or an encoder to start from. With `resume` the training
    goes on after the last finished epoch of the stage that it stopped in. `give_up` is asked after each epoch of the
    last stage, with that stage's rows so far, whether to end there. `devices` processes share the work
    (`training.processes`) and give nothing up. Raises `InputError` when the loss is not finite, on Ctrl-C and when
    memory or disk is full; the checkpoint of the last finished epoch is there in all cases.
    """
    check_recipe(recipe)
    training = partial(
        _train, recipe, cases, fold=fold, out=out, protocol=protocol, device=device, init=init, title=title
    )
    if devices == 1:
        return training(ALONE, resume=resume, give_up=give_up)
    if not resume:
        _refuse_begun(recipe, out)
    in_processes(_Shared(training), count=devices)
    return training(ALONE, resume=True)  # nothing is left to do but to read it


@dataclass(frozen=True)
class _Shared:
    """A training as one process of several does it."""

    training: Callable[..., TrainedFold]

    def __call__(self, share: Share) -> None:
        self.training(share, resume=True)


def _refuse_begun(recipe: Recipe, out: Path) -> None:
    if any(TrainingFolder(stage.folder).has_epoch for stage in stages_of(recipe, folder=out)):
        raise InputError("has a checkpoint already", remedy="continue it with --resume, or choose another", path=out)


@contextlib.contextmanager
def _telling_of_memory() -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise InputError(
            "the training does not fit into the memory",
            remedy="use --set training.batch_size=N with fewer, or a smaller network",
        ) from error


@_telling_of_memory()
def _train(
    recipe: Recipe,
    cases: Sequence[Case],
    share: Share,
    *,
    fold: Fold,
    out: Path,
    protocol: Protocol,
    device: str,
    init: Path | None,
    title: str,
    resume: bool,
    give_up: Callable[[Sequence[Row]], bool] | None = None,
) -> TrainedFold:
    """The stages that are left, as far as they are this process's."""
    stages = stages_of(recipe, folder=out)
    chosen_device = [choose_device(device, precision=stage.recipe.training.precision) for stage in stages][-1]
    if chosen_device.type == "cpu":
        keep_freed_memory()
    if not resume:
        _refuse_begun(recipe, out)
    cache: CaseCache | None = None
    result: TrainedFold | None = None
    for stage in stages:
        files = TrainingFolder(stage.folder)
        begun = read_checkpoint(files.checkpoint) if files.has_epoch else None
        share.wait_for_all()  # before the first one writes what the others read
        if begun is not None and begun.finished:
            result = TrainedFold(stage.folder, begun.selection.best_epoch, begun.epoch, begun.history)
            if share.is_first and not files.history.exists():
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
                share=share,
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
    share: Share,
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
        share=share,
    )
    selection = Selection(recipe.training.monitor, recipe.training.patience)
    files = TrainingFolder(stage.folder)
    loop = EpochLoop(learner, files, selection, epochs=recipe.training.epochs, give_up=give_up)
    if begun is not None:
        loop.resume(begun)
    loop.run(title)
    share.wait_for_all()  # the next stage starts from what the first one has written
    return TrainedFold(stage.folder, selection.best_epoch, len(loop.history), loop.history)
