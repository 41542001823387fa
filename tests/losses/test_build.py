from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import Recipe, load_recipe
from bustle.core.types import Batch
from bustle.losses.build import LOSSES, build_loss
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,))
OPTIONS = {"location_cross_entropy": {"map": "mask"}, "lossnet": {"weights": "random"}}
"""What a loss must be told to work with `output`."""
COARSE = MaskMeaning(("lesion", "background"), "softmax", (0,))
GLAND = MaskMeaning(("gland",), "sigmoid", ())
SETTING = LossSetting(mask_meaning=THREE, map_meanings={"coarse": COARSE, "gland": GLAND})
ANNOTATED = sorted(name for name, loss in LOSSES.items() if getattr(loss, "needs_annotation", True))


def recipe(*losses: Component, weighting: Component | None = None) -> Recipe:
    return replace(load_recipe("rmtl_net"), losses=losses, weighting=weighting or Component("fixed"))


def output(count: int = 2) -> MultiTaskOutput:
    torch.manual_seed(0)
    mask = torch.randn(count, 3, 16, 16, requires_grad=True)
    return MultiTaskOutput(mask, torch.randn(count, 2, requires_grad=True), maps_of(mask))


def maps_of(mask_logits: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"coarse": mask_logits[:, :2], "gland": mask_logits[:, :1]}


def with_gland(batch: Batch) -> Batch:
    """The same batch, whose cases with a mask also have a gland mask."""
    return replace(batch, gland_mask=(batch.lesion_mask > 0).float(), has_gland=batch.has_mask)


def lesions(count: int) -> torch.Tensor:
    masks = torch.zeros(count, 16, 16)
    masks[:, 4:11, 3:12] = 1
    return masks


def test_the_total_is_the_weighted_sum(make_batch):
    combined = build_loss(load_recipe("rmtl_net"), setting=LossSetting(mask_meaning=THREE))  # λ = 0.9
    values = combined(output(), make_batch(torch.ones(2, 16, 16), [0, 1]))
    assert list(values.terms) == ["region_cross_entropy", "class_cross_entropy"]
    terms = values.terms
    expected = 0.9 * terms["region_cross_entropy"].item() + 0.1 * terms["class_cross_entropy"].item()
    assert values.total.item() == pytest.approx(expected)
    assert combined.state_dict() == {}


def test_a_loss_weighs_one_unless_said_otherwise(make_batch):
    values = build_loss(recipe(Component("dice")), setting=LossSetting(mask_meaning=THREE))(
        output(), make_batch(torch.ones(2, 16, 16), [0, 1])
    )
    assert values.total.item() == values.terms["dice"].item()


def test_a_loss_may_stand_there_twice_under_names_of_its_own(make_batch):
    setting = LossSetting(mask_meaning=THREE, map_meanings={"coarse": THREE})
    out = output()._replace(aux_masks={"coarse": torch.randn(2, 3, 4, 4)})
    losses = (
        Component("dice"),
        Component("dice", {"as": "coarse_dice", "map": "coarse", "weight": 0.5}),
        Component("dice", {"as": "batch_dice", "over": "batch", "weight": 0}),
    )
    values = build_loss(recipe(*losses), setting=setting)(out, make_batch(lesions(2), [0, 1]))
    assert list(values.terms) == ["dice", "coarse_dice", "batch_dice"]
    assert values.terms["coarse_dice"].item() != values.terms["dice"].item()
    expected = values.terms["dice"].item() + 0.5 * values.terms["coarse_dice"].item()
    assert values.total.item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ANNOTATED)
def test_a_batch_without_its_annotation_costs_nothing_and_keeps_the_graph(name: str, make_batch):
    out = output()
    values = build_loss(recipe(Component(name, OPTIONS.get(name, {}))), setting=SETTING)(
        out, with_gland(make_batch(lesions(2), [-1, -1], [False, False]))
    )
    values.total.backward()
    assert values.total.item() == 0
    logits = out.class_logits if LOSSES[name].task == "cls" else out.mask_logits
    assert logits is not None
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("name", ANNOTATED)
def test_unannotated_cases_get_no_gradient_and_change_nothing(name: str, make_batch):
    loss = build_loss(recipe(Component(name, OPTIONS.get(name, {}))), setting=SETTING)
    out = output(3)
    mixed = loss(out, with_gland(make_batch(lesions(3), [1, -1, 0], [True, False, True])))
    mixed.total.backward()
    mask = out.mask_logits[[0, 2]].detach()  # type: ignore[index]
    kept = MultiTaskOutput(mask, out.class_logits[[0, 2]].detach(), maps_of(mask))  # type: ignore[index]
    alone = loss(kept, with_gland(make_batch(lesions(2), [1, 0])))
    assert mixed.total.item() == pytest.approx(alone.total.item())
    logits = out.class_logits if LOSSES[name].task == "cls" else out.mask_logits
    assert logits is not None
    assert logits.grad is not None
    assert [case.abs().max() > 0 for case in logits.grad] == [True, False, True]


@pytest.mark.parametrize(
    ("losses", "weighting", "message"),
    [
        ([Component("dyce")], None, "unknown loss 'dyce'; did you mean dice"),
        ([Component("dice", {"smoth": 1})], None, "unknown key 'smoth' in loss dice; did you mean smooth"),
        ([Component("dice", {"smooth": 0})], None, "loss dice: smooth must be positive"),
        ([Component("region_cross_entropy", {"ring_width": -1})], None, "ring_width must be 0 to 8192"),
        ([Component("dice", {"weight": -1})], None, "the weight of loss dice is -1"),
        ([Component("dice", {"weight": True})], None, "the weight of loss dice is True"),
        ([Component("dice"), Component("dice")], None, "names the loss dice twice"),
        ([Component("dice", {"as": "a"}), Component("dice", {"as": "a"})], None, "names the loss a twice"),
        ([Component("dice", {"map": "corse"})], None, "unknown map of loss dice 'corse'; known: mask"),
        ([Component("dice", {"over": "pixel"})], None, "it must be one of case, batch"),
        ([], None, "the recipe has no losses"),
        ([Component("dice")], Component("dwa"), "unknown weighting 'dwa'; known: dynamic_average, fixed"),
        ([Component("dice")], Component("fixed", {"t": 2}), "unknown key 't' in weighting fixed"),
    ],
)
def test_wrong_recipes_are_refused(losses: list[Component], weighting: Component | None, message: str):
    with pytest.raises(InputError, match=message):
        build_loss(recipe(*losses, weighting=weighting), setting=LossSetting(mask_meaning=THREE))
