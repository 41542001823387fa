"""MultiMix's terms: which cases they take, what they cost by hand, and the plain step where nothing is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import load_recipe
from bustle.core.types import Batch
from bustle.losses.build import LossValues, build_loss
from bustle.losses.setting import LossSetting
from bustle.training.steps.build import build_step
from bustle.training.steps.multimix import MultiMixStep, divergence

ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


class ByFirstPixel(nn.Module):
    """Logits of class 1 and of the whole mask are a weight times the case's first pixel."""

    def __init__(self, *, masks: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.masks = masks
        self.calls: list[Tensor] = []

    def forward(self, image: Tensor) -> MultiTaskOutput:
        self.calls.append(image)
        value = self.weight * image[:, 0, 0, 0]
        mask = value.view(-1, 1, 1, 1).expand(-1, 1, *image.shape[2:]) if self.masks else None
        return MultiTaskOutput(mask, torch.stack([torch.zeros_like(value), value], dim=1))


def batch(pixels: list[float], labels: list[int], masked: list[bool]) -> Batch:
    count = len(labels)
    no = torch.zeros(count, dtype=torch.bool)
    return Batch(
        case_ids=[str(i) for i in range(count)],
        image=torch.tensor(pixels).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).clone(),
        lesion_mask=torch.ones(count, 8, 8, dtype=torch.int64),
        gland_mask=torch.zeros(count, 8, 8),
        label=torch.tensor(labels),
        has_mask=torch.tensor(masked),
        has_gland=no,
        has_box=no,
        has_label=torch.tensor([label >= 0 for label in labels]),
    )


def run(step: Any, network: nn.Module, cases: Batch) -> tuple[LossValues, list[Tensor]]:
    recipe = replace(load_recipe("rmtl_net"), losses=(Component("dice"), Component("class_cross_entropy")))
    updates: list[Tensor] = []
    loss = build_loss(recipe, setting=LossSetting(mask_meaning=ONE))
    return step(cases, network=network, loss=loss, update=updates.append), updates


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_complete_cases_make_it_the_plain_step():
    cases = batch([1.0, -2.0], [1, 0], [True, True])
    network = ByFirstPixel()
    plain, _ = run(build_step(Component("joint")), network, cases)
    values, (update,) = run(build_step(Component("multimix")), network, cases)
    assert len(network.calls) == 2  # no strong copies
    assert values.total.item() == update.item() == plain.total.item()
    assert values.terms["pseudo_class"] == values.terms["mask_divergence"] == 0


def test_confident_cases_without_a_class_teach_their_own(monkeypatch: pytest.MonkeyPatch):
    """Of three cases without a class two are confident, one of each class; their strong copies are weaker."""
    monkeypatch.setattr("bustle.training.steps.multimix.strongly_augmented", lambda images: images / 2)
    cases = batch([1.0, 2.0, -4.0, 0.1], [1, -1, -1, -1], [True] * 4)
    network = ByFirstPixel()
    values, _ = run(MultiMixStep(), network, cases)
    assert network.calls[1].shape[0] == 3
    wanted = (-math.log(sigmoid(1.0)) - math.log(1 - sigmoid(-2.0))) / 3
    assert values.terms["pseudo_class"].item() == pytest.approx(wanted, rel=1e-5)
    plain, _ = run(build_step(Component("joint")), network, cases)
    assert values.total.item() == pytest.approx(plain.total.item() + 0.25 * wanted, rel=1e-5)
    values.total.backward()
    assert network.weight.grad is not None


def test_a_single_case_without_a_class_passes_batch_norm_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bustle.training.steps.multimix.strongly_augmented", lambda images: images / 2)
    network = ByFirstPixel()
    values, _ = run(MultiMixStep(), network, batch([1.0, 2.0], [1, -1], [True, True]))
    assert network.calls[1].shape[0] == 2
    assert values.terms["pseudo_class"].item() == pytest.approx(-math.log(sigmoid(1.0)), rel=1e-5)


def test_masks_of_cases_without_one_are_drawn_to_the_others():
    cases = batch([1.0, 3.0, -1.0], [1, 1, 0], [True, True, False])
    values, _ = run(MultiMixStep(), ByFirstPixel(), cases)
    p, q = (sigmoid(1.0) + sigmoid(3.0)) / 2, sigmoid(-1.0)
    wanted = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert values.terms["mask_divergence"].item() == pytest.approx(wanted, rel=1e-5)
    plain, _ = run(build_step(Component("joint")), ByFirstPixel(), cases)
    assert values.total.item() == pytest.approx(plain.total.item() + 0.01 * wanted, rel=1e-5)


def test_the_divergence_is_zero_for_equals_and_finite_for_opposites():
    maps = torch.rand(4, 4)
    assert divergence(maps, maps).item() == pytest.approx(0, abs=1e-7)
    assert np.isfinite(divergence(torch.ones(4, 4), torch.zeros(4, 4)).item())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, "threshold must lie between 0 and 1"),
        ({"class_weight": -1.0}, "must not be negative"),
        ({"treshold": 0.5}, "did you mean threshold"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str):
    with pytest.raises(InputError, match=message):
        build_step(Component("multimix", options))


def test_a_network_without_masks_is_refused():
    with pytest.raises(InputError, match="multimix needs a network with a mask and classes; use --set"):
        run(MultiMixStep(), ByFirstPixel(masks=False), batch([1.0], [1], [True]))
