"""LA-Net's pseudo masks: who gets one, what it is, and what it counts (section 3.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import load_recipe
from bustle.core.types import Batch
from bustle.losses.build import CombinedLoss, build_loss
from bustle.losses.setting import LossSetting
from bustle.training.both_tasks import BothTasks
from bustle.training.steps.build import build_step
from bustle.training.steps.semi_supervised import SemiSupervisedStep

ONE = MaskMeaning(("lesion",), "sigmoid", (0,))


class Fixed(nn.Module):
    """A network that always says the same."""

    def __init__(self, masks: Tensor, classes: Tensor | None):
        super().__init__()
        self.masks = nn.Parameter(masks)
        self.classes = None if classes is None else nn.Parameter(classes)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        return MultiTaskOutput(self.masks, self.classes)


def batch(labels: list[int], masked: list[bool]) -> Batch:
    count = len(labels)
    no = torch.zeros(count, dtype=torch.bool)
    lesion = torch.zeros(count, 4, 4, dtype=torch.int64)
    lesion[torch.tensor(masked), 0] = 2
    return Batch(
        case_ids=[str(i) for i in range(count)],
        image=torch.zeros(count, 1, 4, 4),
        lesion_mask=lesion,
        gland_mask=torch.zeros(count, 4, 4),
        label=torch.tensor(labels),
        has_mask=torch.tensor(masked),
        has_gland=no,
        has_box=no,
        has_label=torch.tensor([label >= 0 for label in labels]),
    )


def loss_of(*names: str) -> CombinedLoss:
    recipe = replace(load_recipe("rmtl_net"), losses=tuple(Component(name) for name in names))
    return build_loss(recipe, setting=LossSetting(mask_meaning=ONE))


def logits_of(probability: list[float]) -> Tensor:
    """Two-class logits with these probabilities of class 1."""
    return torch.stack([torch.zeros(len(probability)), torch.logit(torch.tensor(probability))], dim=1)


MASKS = torch.full((5, 1, 4, 4), -3.0)
MASKS[:, :, :, 2] = 3.0
CLASSES = logits_of([0.9, 0.9, 0.9, 0.7, 0.9])
CASES = batch([1, 1, 0, 1, -1], [True, False, False, False, False])


@pytest.mark.parametrize(
    ("gate", "accepted"),
    [("true_class", [True, True, False, False, True]), ("argmax", [True, True, True, False, True])],
)
def test_confident_cases_get_the_predicted_mask(gate: Any, accepted: list[bool]):
    found = SemiSupervisedStep(gate=gate).with_pseudo_masks(CASES, BothTasks(MASKS, ONE, CLASSES))
    assert found.has_mask.tolist() == accepted
    pseudo = sum(accepted[1:])
    of_pseudo = 0.1 * (1 + pseudo) / pseudo
    assert found.mask_weight is not None
    assert found.mask_weight.tolist() == pytest.approx([1 + pseudo, *[of_pseudo * yes for yes in accepted[1:]]])
    assert torch.equal(found.lesion_mask[0], CASES.lesion_mask[0]), "a drawn mask stays"
    assert torch.equal(found.lesion_mask[1] > 0, MASKS[1, 0] > 0)
    assert CASES.has_mask.tolist() == [True, False, False, False, False], "the batch itself is not changed"


def test_the_loss_by_hand():
    network, updates = Fixed(MASKS.clone(), CLASSES.clone()), []
    values = SemiSupervisedStep()(CASES, network=network, loss=loss_of("mask_cross_entropy"), update=updates.append)
    fit, misfit = torch.log1p(torch.exp(torch.tensor(-3.0))), torch.log1p(torch.exp(torch.tensor(3.0)))
    # The drawn mask is the first row, the prediction the third column: they differ in 6 of 16 pixels.
    drawn = (6 * misfit + 10 * fit) / 16
    assert values.total.item() == pytest.approx(float(drawn + 0.1 * (fit + fit) / 2), rel=1e-5)
    assert updates == [values.total]


def test_the_loss_without_drawn_masks_is_that_of_the_pseudo_masks():
    cases = batch([1, 1, 0, 1, -1], [False] * 5)
    network = Fixed(MASKS.clone(), CLASSES.clone())
    loss = loss_of("mask_cross_entropy")
    values = SemiSupervisedStep()(cases, network=network, loss=loss, update=lambda total: None)
    assert values.total.item() == pytest.approx(0.1 * float(torch.log1p(torch.exp(torch.tensor(-3.0)))), rel=1e-5)


def test_without_pseudo_masks_it_is_the_supervised_step():
    losses = ("dice", "class_cross_entropy")
    for step, cases in (
        (SemiSupervisedStep(threshold=1.0), CASES),
        (SemiSupervisedStep(weight=0.0), CASES),
        (SemiSupervisedStep(), batch([1, 1, 0, 1, -1], [True] * 5)),
    ):
        network = Fixed(MASKS.clone(), CLASSES.clone())
        semi = step(cases, network=network, loss=loss_of(*losses), update=lambda loss: None)
        joint = build_step(Component("joint"))(
            cases, network=network, loss=loss_of(*losses), update=lambda loss: None
        )
        assert semi.total.item() == pytest.approx(joint.total.item(), rel=1e-6)


def test_no_gradient_flows_through_a_pseudo_mask_s_making():
    network = Fixed(MASKS.clone(), CLASSES.clone())
    SemiSupervisedStep()(CASES, network=network, loss=loss_of("dice"), update=lambda loss: loss.backward())
    assert network.classes is not None
    assert network.classes.grad is None
    assert network.masks.grad is not None
    assert network.masks.grad[3].abs().max() == 0, "the class was not sure enough"


def test_it_needs_a_mask_and_classes():
    with pytest.raises(InputError, match="semi_supervised needs a network with a mask and classes"):
        SemiSupervisedStep()(CASES, network=Fixed(MASKS, None), loss=loss_of("dice"), update=lambda loss: None)
    with pytest.raises(InputError, match="between 0 and 1"):
        build_step(Component("semi_supervised", {"threshold": 2}))
