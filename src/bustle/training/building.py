"""Puts a training together: network, losses, optimiser and batches, on one device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import Recipe
from bustle.data.prepared.cache import CaseCache
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.weights import load_model_weights
from bustle.training.batch_sources import batch_sources
from bustle.training.batches import positions_of
from bustle.training.determinism import seed_epoch
from bustle.training.learner import Learner
from bustle.training.location_labels import LocationLabels
from bustle.training.loss_setting import loss_setting
from bustle.training.memory_format import memory_format
from bustle.training.optimisation import build_optimizer
from bustle.training.processes import ALONE, Share


def build_learner(
    recipe: Recipe,
    *,
    cache: CaseCache,
    train: Sequence[str],
    val: Sequence[str],
    located_only: bool,
    device: torch.device,
    init: Path | None,
    takes: Sequence[str] | None,
    resuming: bool,
    share: Share = ALONE,
) -> Learner:
    """Everything that has state, on its device. A resumed training needs no starting weights.

    Of `init` only the parts that it `takes`, where it is not None; the others start from the recipe's weights.

    `located_only` leaves out the training cases without a mask (or box, where boxes count). Raises `InputError` for
    cases that the cache lacks, too few of them, and weights that do not fit.
    """
    resolved = zoo.resolve(recipe)
    training = recipe.training
    train_positions, val_positions = positions_of(cache, train), positions_of(cache, val)
    locations = LocationLabels(cache, section=recipe.data, train=train_positions, seed=training.seed)
    if located_only or recipe.data.needs_place:
        located = locations.present[train_positions]
        if recipe.data.needs_place and not located.all():
            announce(f"{(~located).sum()} training volumes without a mask are left out: where is their lesion?")
        train_positions = train_positions[located]
    if len(train_positions) < 2:
        kind = "located cases" if located_only or recipe.data.needs_place else "cases"
        raise InputError(f"the training part has {len(train_positions)} {kind}", remedy="at least 2 are needed")
    seed_epoch(training.seed, 0)  # the initial weights
    whole = init is not None and takes is None
    network = resolved.build(encoder_weights=None if whole or resuming else resolved.encoder_weights)
    if init and not resuming:
        load_model_weights(network, init, parts=takes)
    network = network.to(device).to(memory_format=memory_format(training, ndim=2 + resolved.spec.dims))  # pyright: ignore
    loss = build_loss(recipe, setting=loss_setting(resolved, labels=cache.labels[train_positions])).to(device)
    batches = batch_sources(
        recipe, cache=cache, locations=locations, train=train_positions, val=val_positions, device=device, share=share
    )
    return Learner(
        recipe,
        network=network,
        loss=loss,
        optimizer=build_optimizer(recipe.optimizer, network, without_gradient=resolved.without_gradient, loss=loss),
        resolved=resolved,
        batches=batches,
        device=device,
        share=share,
    )
