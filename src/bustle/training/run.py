"""Training of one fold, from cases to the weights of the chosen epoch."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe
from bustle.core.types import Case
from bustle.data.prepared.cache import CaseCache
from bustle.data.splits.splits import Fold
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.device import find_device
from bustle.models.refinement import refined
from bustle.models.weights import load_model_weights
from bustle.training.batch_sources import check_data
from bustle.training.building import build_training
from bustle.training.checkpoint import read_checkpoint
from bustle.training.epoch_end import CHECKPOINT, WEIGHTS, EpochEnd, Row
from bustle.training.loss_setting import loss_setting
from bustle.training.memory_allocator import keep_freed_memory
from bustle.training.module import TrainingModule
from bustle.training.optimisation import build_schedule, optimizer_settings
from bustle.training.progress_bar import ProgressBar
from bustle.training.selection import Selection
from bustle.training.stages import StageTraining, stages_of
from bustle.training.steps.build import build_step

PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class FoldResult:
    """A trained fold, or its last stage.

    `best_epoch` (from 1) is the one in `best.safetensors`, `history` the rows of `metrics.csv`.
    """

    folder: Path
    best_epoch: int
    epochs: int
    history: Sequence[Row]


def check_recipe(recipe: Recipe) -> None:
    """Check every name and option of a recipe without reading data; raises `InputError` for the first wrong one."""
    spec = zoo.get(recipe.model.id)
    if len(recipe.data.size) != spec.dims:
        raise InputError(
            f"data.size has {len(recipe.data.size)} axes, {spec.id} takes {spec.dims}", remedy="change data.size"
        )
    network = zoo.resolve(recipe)
    with torch.device("meta"):
        refined(network.build(), network)
    network.check_encoder_weights()
    for stage in stages_of(recipe, folder=Path()):
        _check_stage(stage.recipe, network=network)


def _check_stage(recipe: Recipe, *, network: zoo.ResolvedNetwork) -> None:
    build_loss(recipe, setting=loss_setting(network))
    optimizer_settings(recipe.optimizer)
    build_schedule(recipe.schedule)
    build_step(recipe.training.step)
    check_data(recipe)
    _check_training_section(recipe)


def check_init(recipe: Recipe, init: Path) -> None:
    """Raises `InputError` unless `init` holds weights that the recipe's network can start from."""
    load_model_weights(zoo.resolve(recipe).build(), init)


def _check_training_section(recipe: Recipe) -> None:
    training = recipe.training
    wrong = {
        "epochs": (training.epochs < 1, "at least 1"),
        "batch_size": (training.batch_size < 2, "at least 2, because batch norm needs two cases"),
        "patience": (training.patience is not None and training.patience < 1, "at least 1, or null"),
        "ema_decay": (training.ema_decay is not None and not 0 < training.ema_decay < 1, "between 0 and 1, or null"),
        "clip_gradient_norm": (
            training.clip_gradient_norm is not None and training.clip_gradient_norm <= 0,
            "positive, or null",
        ),
        "seed": (training.seed < 0, "at least 0"),
    }
    for name, (is_wrong, expected) in wrong.items():
        if is_wrong:
            raise InputError(f"training.{name} is {getattr(training, name)}", remedy=f"it must be {expected}")


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
) -> FoldResult:
    """Train one fold into the folder `out`; `cases` must contain the fold's.

    The epoch is chosen on the fold's validation part; without one (or where the protocol has none) the last epoch
    is kept. `init` is a safetensors file of a whole model or an encoder to start from. With `resume` the training
    goes on after the last finished epoch of the stage that it stopped in. Raises `InputError` when the loss is not
    finite, on Ctrl-C and when the disk is full; the checkpoint of the last finished epoch is there in all cases.
    """
    check_recipe(recipe)
    stages = stages_of(recipe, folder=out)
    chosen_device = [choose_device(device, precision=stage.recipe.training.precision) for stage in stages][-1]
    if chosen_device.type == "cpu":
        keep_freed_memory()
    if not resume and any((stage.folder / CHECKPOINT).exists() for stage in stages):
        raise InputError("has a checkpoint already", remedy="continue it with --resume, or choose another", path=out)
    cache: CaseCache | None = None
    result: FoldResult | None = None
    for stage in stages:
        state = read_checkpoint(stage.folder / CHECKPOINT) if (stage.folder / CHECKPOINT).exists() else None
        if state is not None and state["finished"]:
            result = FoldResult(
                stage.folder, state["selection"]["best_epoch"], len(state["history"]), state["history"]
            )
        else:
            cache = cache or CaseCache.open(cases, section=recipe.data)
            result = _train_stage(
                stage,
                cache=cache,
                fold=fold,
                validated=protocol.validation != "none",
                device=chosen_device,
                init=init if result is None else result.folder / WEIGHTS,
                resuming=state is not None,
                title=title if stage.name is None else f"{title}, stage {stage.name}",
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
    resuming: bool,
    title: str,
) -> FoldResult:
    recipe = stage.recipe
    end = EpochEnd(
        stage.folder,
        selection=Selection(recipe.training.monitor, recipe.training.patience),
        epochs=recipe.training.epochs,
    )
    module = build_training(
        recipe,
        cache=cache,
        train=fold.train,
        val=fold.val if validated else (),
        located_only=stage.located_only,
        device=device,
        init=init,
        resuming=resuming,
    )
    with _quiet(), _repeatable(device):
        callbacks: list[lightning.Callback] = [end, ProgressBar(title, epoch_end=end)]
        trainer = _trainer(recipe, device=device, callbacks=callbacks, out=stage.folder)
        if resuming:
            end.restore(module, trainer)
        trainer.fit_loop.max_epochs = recipe.training.epochs - module.first_epoch
        _fit(trainer, module)
    return FoldResult(stage.folder, end.selection.best_epoch, len(end.history), end.history)


def _trainer(
    recipe: Recipe, *, device: torch.device, callbacks: list[lightning.Callback], out: Path
) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=device.type,
        devices=1,
        precision=PRECISIONS[recipe.training.precision],
        benchmark=device.type == "cuda",
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=str(out),
    )


def choose_device(name: str, *, precision: str) -> torch.device:
    """Raises `InputError` for a GPU that is not there, and for a precision that the device does not train in."""
    chosen = find_device(name)
    if precision == "fp16" and chosen.type == "cpu":
        raise InputError("fp16 training needs a GPU", remedy="use --set training.precision=fp32 (or bf16)")
    return chosen


def _fit(trainer: lightning.Trainer, module: TrainingModule) -> None:
    """Run Lightning, which answers Ctrl-C by leaving the process: here it becomes an error with its remedy."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module)
    except SystemExit:
        if not trainer.interrupted:
            raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
    if trainer.interrupted:
        raise InputError(
            f"training was interrupted in epoch {module.epoch + 1}; the epochs before it are saved",
            remedy="go on with the same command and --resume",
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's advertisements, and without warnings about code that is not ours to change."""
    loggers = [logging.getLogger("lightning.pytorch"), logging.getLogger("lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on the processor; on a GPU the fastest, some of which add in varying order."""
    before = (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled())
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        settings.fill_uninitialized_memory = False  # for debugging only, and it costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = fill
