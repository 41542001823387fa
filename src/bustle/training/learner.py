"""A network with its loss, optimiser and batches: learns from an epoch's batches, and is judged on others."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.recipe import Recipe
from bustle.core.types import Batch
from bustle.losses.build import CombinedLoss
from bustle.models.refinement import refined
from bustle.models.zoo import ResolvedNetwork
from bustle.training.batch_sources import BatchSources
from bustle.training.checkpoint import LearnerState
from bustle.training.determinism import seed_epoch
from bustle.training.loss_watch import NOT_FINITE_REMEDY, LossWatch
from bustle.training.memory_format import memory_format
from bustle.training.optimisation import Moment, build_schedule, load_optimizer_state
from bustle.training.precision import MixedPrecision
from bustle.training.processes import ALONE, Share
from bustle.training.steps.build import build_step
from bustle.training.validation import ValidationScores, ValidationTally
from bustle.training.weight_average import WeightAverage


class Learner:
    """Everything of a training that learns; what it does in an epoch depends on that state and the epoch alone.

    `network` is the plain one, whose weights are kept; it learns and is judged as `resolved` refines it. Network and
    loss are on `device` already. Epochs and batches count from 0, in messages from 1.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        network: nn.Module,
        loss: CombinedLoss,
        optimizer: torch.optim.Optimizer,
        resolved: ResolvedNetwork,
        batches: BatchSources,
        device: torch.device,
        share: Share = ALONE,
    ):
        self.recipe = recipe
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.resolved = resolved
        self.batches = batches
        self.device = device
        self.share = share
        self.precision = MixedPrecision(recipe.training.precision, device=device)
        self.step = build_step(recipe.training.step)
        self.schedule = build_schedule(recipe.schedule)
        self.base_lr = float(optimizer.defaults["lr"])
        decay = recipe.training.ema_decay
        self.average = None if decay is None else WeightAverage(network, decay=decay)
        self.learning = refined(network, resolved)
        self.judged = refined(self.judged_network, resolved)
        self.steps_per_epoch = len(batches.training(0))

    @property
    def judged_network(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self.average is None else self.average.network

    @property
    def lr(self) -> float:
        """The learning rate of the last update."""
        return float(self.optimizer.param_groups[0]["lr"])

    def train_epoch(self, epoch: int, *, on_batch: Callable[[Tensor], None]) -> dict[str, float]:
        """Learn from every training batch once; gives the means of `loss` and of its terms over the cases.

        `on_batch` is called with each batch's loss. Raises `InputError` for a loss that is not finite.
        """
        seed_epoch(self.recipe.training.seed, epoch)
        watch = LossWatch(epoch=epoch + 1, synchronous=self.device.type == "cpu")
        batches = self.batches.training(epoch)
        for number, (batch, cases) in enumerate(zip(batches, batches.sizes, strict=True)):
            self.train_batch(batch, epoch=epoch, number=number, watch=watch, cases=cases)
            on_batch(watch.totals[-1])
        self.loss.finish_epoch()
        return watch.means(self.share)

    def train_batch(self, batch: Batch, *, epoch: int, number: int, watch: LossWatch, cases: int) -> None:
        """The recipe's step on the epoch's batch `number`, with the learning rate of that moment.

        `cases` are those of all processes together.
        """
        epochs = self.recipe.training.epochs
        moment = Moment(
            step=epoch * self.steps_per_epoch + number,
            epoch=epoch,
            total_steps=epochs * self.steps_per_epoch,
            epochs=epochs,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.lr(self.base_lr, moment)
        update = partial(self._update, watch=watch, case_ids=batch.case_ids, part=len(batch.case_ids) / cases)
        with self.precision.autocast():
            values = self.step(self._in_memory_format(batch), network=self.learning, loss=self.loss, update=update)
        watch.add(values, case_ids=batch.case_ids)

    def _update(self, loss: Tensor, *, watch: LossWatch, case_ids: list[str], part: float) -> None:
        watch.before_update(loss, case_ids=case_ids)
        clip_norm = self.recipe.training.clip_gradient_norm
        self.precision.update(self.optimizer, loss * part, clip_norm=clip_norm, share=self.share)
        if self.average is not None:
            self.average.update(self.network)

    @torch.inference_mode()
    def validate(self, epoch: int) -> ValidationScores | None:
        """Scores on the validation part, None without one. Raises `InputError` for a loss that is not finite."""
        if self.batches.validation is None:
            return None
        tally = ValidationTally(meaning=self.resolved.mask_meaning, classes=self.resolved.classes)
        self.judged.eval()
        self.loss.eval()
        with self.precision.autocast():
            for batch in map(self._in_memory_format, self.batches.validation):
                output = self.judged(batch.image)
                tally.add(output, batch, loss=self.loss(output, batch).total)
        self.network.train()
        self.loss.train()
        scores = tally.scores()
        if not math.isfinite(scores.loss):
            raise InputError(
                f"the validation loss is {scores.loss} in epoch {epoch + 1}; training has stopped and the "
                "checkpoint of the last good epoch is kept",
                remedy=NOT_FINITE_REMEDY,
            )
        return scores

    def _in_memory_format(self, batch: Batch) -> Batch:
        wanted = memory_format(self.recipe.training, ndim=batch.image.ndim)
        batch.image = batch.image.contiguous(memory_format=wanted)
        return batch

    def state(self) -> LearnerState:
        """The schedule and the batches are functions of the epoch; everything else that has state is here."""
        return LearnerState(
            network=self.network.state_dict(),
            average=None if self.average is None else self.average.state_dict(),
            loss=self.loss.state_dict(),
            optimizer=self.optimizer.state_dict(),
            precision=self.precision.state_dict(),
        )

    def load_state(self, state: LearnerState) -> None:
        """Raises what PyTorch raises, or `ValueError`, for the state of another learner."""
        self.network.load_state_dict(state.network)
        if (self.average is None) != (state.average is None):
            raise ValueError("an average of weights that only one of both has")
        if self.average is not None and state.average is not None:
            self.average.load_state_dict(state.average)
        self.loss.load_state_dict(state.loss)
        load_optimizer_state(self.optimizer, state.optimizer)
        self.precision.load_state_dict(state.precision)
