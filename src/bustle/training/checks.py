"""What can be told about a training before data is read: its recipe, its starting weights, its device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from bustle.core.errors import InputError, unknown_name
from bustle.core.memory import available_memory
from bustle.core.recipe import Recipe
from bustle.core.run_layout import TrainingFolder
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.device import find_device
from bustle.models.refinement import Refined, refined
from bustle.models.weight_file import read_metadata
from bustle.models.weights import load_model_weights
from bustle.training.batch_sources import check_data
from bustle.training.checkpoint import other_training, read_checkpoint
from bustle.training.loss_setting import loss_setting
from bustle.training.optimisation import build_schedule, optimizer_settings
from bustle.training.stages import StageTraining, stages_of
from bustle.training.steps.build import build_step


def check_recipe(recipe: Recipe) -> None:
    """Check every name and option of a recipe without reading data; raises `InputError` for the first wrong one."""
    spec = zoo.get(recipe.model.id)
    if len(recipe.data.size) != spec.dims:
        raise InputError(
            f"data.size has {len(recipe.data.size)} axes, {spec.id} takes {spec.dims}", remedy="change data.size"
        )
    network = zoo.resolve(recipe)
    try:
        with torch.device("meta"):
            built = refined(network.build(), network)
    except (RuntimeError, OverflowError) as error:  # sizes that no tensor can have
        reason = str(error).splitlines()[0]
        raise InputError(f"the network cannot be built ({reason})", remedy="change model.config") from None
    _check_memory(recipe, parameters=sum(parameter.numel() for parameter in built.parameters()))
    _check_views(recipe, built)
    network.check_encoder_weights()
    for number, stage in enumerate(stages_of(recipe, folder=Path())):
        _check_stage(stage.recipe, network=network)
        _check_taken(stage, first=number == 0, parts=[name for name, _ in built.network.named_modules() if name])
        for key in ("precision", "channels_last"):
            if getattr(stage.recipe.training, key) == "auto" != getattr(recipe.training, key):
                raise InputError(f"stage {stage.name} has training.{key} auto", remedy="set it for all stages")


def _check_views(recipe: Recipe, network: Refined) -> None:
    """Raises `InputError` for a view whose size the network, which lies on the meta device, does not take."""
    for size in () if recipe.views.is_single else recipe.views.sizes(recipe.data.size):
        try:
            with torch.inference_mode():
                network.eval()(torch.zeros(1, recipe.data.channels, *size, device="meta"))
        except Exception:  # the networks' libraries refuse by any exception
            shown = " x ".join(map(str, size))
            raise InputError(
                f"{recipe.model.id} does not take views of {shown} pixels", remedy="set views.scales=[1.0]"
            ) from None


def _check_stage(recipe: Recipe, *, network: zoo.ResolvedNetwork) -> None:
    build_loss(recipe, setting=loss_setting(network))
    optimizer_settings(recipe.optimizer)
    build_schedule(recipe.schedule)
    build_step(recipe.training.step)
    check_data(recipe)
    _check_training_section(recipe)


def _check_taken(stage: StageTraining, *, first: bool, parts: Sequence[str]) -> None:
    """What a stage takes from the one before: modules of the network, and not where there is no stage before."""
    if stage.takes is not None and first:
        raise InputError(f"stage {stage.name} takes from a stage before it", remedy="it is the first one")
    for part in stage.takes or ():
        if part not in parts:
            raise unknown_name(f"part of the network for stage {stage.name}", part, parts)


def _check_memory(recipe: Recipe, *, parameters: int) -> None:
    """The least that a step takes: weights, their gradients and two moments, and two cases."""
    free = available_memory()
    needed = 4 * (4 * parameters + 2 * recipe.data.channels * math.prod(recipe.data.size))
    if free is not None and needed > free:
        raise InputError(
            f"the training needs at least {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free",
            remedy="take a smaller network (model.config) or data.size",
        )


def check_init(recipe: Recipe, init: Path) -> None:
    """Raises `InputError` unless `init` holds weights that the recipe's network can start from."""
    load_model_weights(zoo.resolve(recipe).build(), init)


def check_begun(recipe: Recipe, *, folder: Path) -> None:
    """Check what an earlier command left in a fold's `folder`, before anything is written there.

    Raises `InputError` for a stage whose checkpoint or weights are damaged or of another network.
    """
    with torch.device("meta"):
        own = {name: tensor.shape for name, tensor in zoo.resolve(recipe).build().state_dict().items()}
    for stage in stages_of(recipe, folder=folder):
        files = TrainingFolder(stage.folder)
        if files.has_epoch:
            found = {name: tensor.shape for name, tensor in read_checkpoint(files.checkpoint).network.items()}
            if found != own:
                other = min(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
                raise other_training(files.checkpoint, f"its {other} is not the network's")
            read_metadata(files.weights)


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


def check_devices(recipe: Recipe, *, device: str, devices: int) -> None:
    """Raises `InputError` for more processes than GPUs or cases in a batch, and for what they cannot share."""
    if devices == 1:
        return
    for stage in stages_of(recipe, folder=Path()):
        training, weighting = stage.recipe.training, stage.recipe.weighting.name
        if training.step.name != "joint":
            raise InputError(f"training.step {training.step.name} is for one process", remedy="leave out --devices")
        if weighting == "dynamic_average":
            raise InputError(f"weighting {weighting} remembers losses of one process", remedy="leave out --devices")
        if training.batch_size < 2 * devices:
            raise InputError(
                f"a batch of {training.batch_size} cannot be shared by {devices} processes",
                remedy=f"use --set training.batch_size={2 * devices} or more",
            )
    if find_device(device).type == "cuda" and devices > torch.cuda.device_count():
        raise InputError(
            f"this machine has {torch.cuda.device_count()} GPUs for {devices} processes", remedy="use fewer --devices"
        )


def choose_device(name: str, *, precision: str) -> torch.device:
    """Raises `InputError` for a GPU that is not there, and for a precision that the device does not train in."""
    chosen = find_device(name)
    if precision == "fp16" and chosen.type == "cpu":
        raise InputError("fp16 training needs a GPU", remedy="use --set training.precision=fp32 (or bf16)")
    return chosen
