"""The Lightning module: runs a training step on a batch, applies its updates, gathers what is measured."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.recipe import Recipe
from bustle.core.types import Batch, MaskMeaning
from bustle.losses.build import CombinedLoss
from bustle.models.device import channels_last_format
from bustle.models.refinement import Refined
from bustle.training.batch_sources import BatchSources
from bustle.training.checkpoint import seed_epoch
from bustle.training.loss_watch import NOT_FINITE_REMEDY, LossWatch
from bustle.training.optimisation import Moment, build_schedule
from bustle.training.steps.build import build_step
from bustle.training.validation import ValidationScores, ValidationTally
from bustle.training.weight_average import WeightAverage


class TrainingModule(lightning.LightningModule):
    """Everything of one fold's training that has state; epochs count from `first_epoch` (0 = from the start).

    `network` is the plain one, whose weights are kept; it learns and is judged as the recipe refines it.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        network: nn.Module,
        loss: CombinedLoss,
        optimizer: torch.optim.Optimizer,
        mask_meaning: MaskMeaning | None,
        batches: BatchSources,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.recipe = recipe
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.mask_meaning = mask_meaning
        self.batches = batches
        self.step = build_step(recipe.training.step)
        self.schedule = build_schedule(recipe.schedule)
        self.base_lr = float(optimizer.defaults["lr"])
        decay = recipe.training.ema_decay
        self.average = None if decay is None else WeightAverage(network, decay=decay)
        self.first_epoch = 0
        self.steps_per_epoch = len(batches.training(0))
        self.watch = LossWatch()
        self.tally: ValidationTally | None = None
        self.scores: ValidationScores | None = None

    @property
    def epoch(self) -> int:
        """The running epoch from 0, over interruptions."""
        return self.first_epoch + self.current_epoch

    @property
    def judged_network(self) -> nn.Module:
        """The network that is validated and kept: the average where there is one."""
        return self.network if self.average is None else self.average.network

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer

    def train_dataloader(self) -> Any:
        return self.batches.training(self.epoch)

    def val_dataloader(self) -> Any:
        return self.batches.validation or []

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch  # it was assembled there

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        if self.recipe.training.channels_last:
            batch.image = batch.image.contiguous(memory_format=channels_last_format(batch.image.ndim))
        return batch

    def on_train_epoch_start(self) -> None:
        seed_epoch(self.recipe.training.seed, self.epoch)
        self.watch.start(epoch=self.epoch + 1, synchronous=self.device.type == "cpu")
        self.scores = None

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        moment = Moment(
            step=self.epoch * self.steps_per_epoch + batch_idx,
            epoch=self.epoch,
            total_steps=self.recipe.training.epochs * self.steps_per_epoch,
            epochs=self.recipe.training.epochs,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.lr(self.base_lr, moment)
        values = self.step(batch, network=self._refined(self.network), loss=self.loss, update=self._update)
        self.watch.add(values, case_ids=batch.case_ids)

    def _refined(self, network: nn.Module) -> Refined:
        return Refined(network, meaning=self.mask_meaning, refinements=self.recipe.model.refinements)

    def _update(self, loss: Tensor) -> None:
        """One optimiser update: backward, clipped (see `on_before_optimizer_step`), then the weight average."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        optimizer.step()
        torch.clear_autocast_cache()  # a step may go on with the changed weights in the same autocast
        if self.average is not None:
            self.average.update(self.network)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Gradients have their true scale here, in mixed precision too."""
        limit = self.recipe.training.clip_gradient_norm
        if limit is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, limit)

    def on_validation_epoch_start(self) -> None:
        self.tally = ValidationTally(meaning=self.mask_meaning, classes=self.recipe.data.classes)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        output = self._refined(self.judged_network)(batch.image)
        assert self.tally is not None
        self.tally.add(output, batch, loss=self.loss(output, batch).total)

    def on_validation_epoch_end(self) -> None:
        assert self.tally is not None
        self.scores = self.tally.scores()
        if not torch.isfinite(torch.tensor(self.scores.loss)):
            raise InputError(
                f"the validation loss is {self.scores.loss} in epoch {self.epoch + 1}; training has stopped and the "
                "checkpoint of the last good epoch is kept",
                remedy=NOT_FINITE_REMEDY,
            )
