"""An update after every pass, or one for all; and nothing new without refinements (C_MSVNet_Iter, Algorithm 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bustle.core.config import Component, from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, load_recipe
from bustle.core.types import Batch, Case
from bustle.data.splits.splits import Fold
from bustle.losses.build import CombinedLoss, LossValues, build_loss
from bustle.losses.setting import LossSetting
from bustle.models import zoo
from bustle.models.refinement import Refined
from bustle.training.run import train_fold
from bustle.training.steps.build import build_step

SMALL = ["model.config.width=2", "data.size=[32, 32, 32]"]


def setting_of(recipe: Recipe) -> LossSetting:
    spec = zoo.get(recipe.model.id)
    config = from_mapping(spec.config_type, recipe.model.config, where="model.config")
    meaning = spec.mask_meaning(config)
    return LossSetting(mask_meaning=meaning, classes=recipe.data.classes, class_counts=(51, 119))


def network_of(recipe: Recipe) -> nn.Module:
    torch.manual_seed(0)
    return zoo.build(recipe.model.id, recipe.model.config, in_channels=1, class_count=2)


def batch() -> Batch:
    torch.manual_seed(1)
    lesion = torch.zeros(2, 32, 32, 32, dtype=torch.int64)
    lesion[0, 8:20, 10:22, 6:30] = 1
    lesion[1, 12:26, 4:14, 12:20] = 1
    yes, no = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    return Batch(
        case_ids=["a", "b"],
        image=torch.randn(2, 1, 32, 32, 32),
        lesion_mask=lesion,
        gland_mask=torch.zeros(2, 32, 32, 32),
        label=torch.tensor([0, 1]),
        has_mask=yes,
        has_gland=no,
        has_box=no,
        has_label=yes,
    )


def one_step(
    recipe: Recipe, step: Component, *, refinements: int
) -> tuple[nn.Module, LossValues, list[dict[str, Tensor]]]:
    """The network after one step, the values, and the weights before every update."""
    network = network_of(recipe)
    wrapped = Refined(network, meaning=setting_of(recipe).mask_meaning, refinements=refinements)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    before: list[dict[str, Tensor]] = []

    def update(loss: Tensor) -> None:
        before.append(copy.deepcopy(network.state_dict()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    loss: CombinedLoss = build_loss(recipe, setting=setting_of(recipe))
    values = build_step(step)(batch(), network=wrapped, loss=loss, update=update)
    return network, values, before


@pytest.mark.parametrize("update", ["per_pass", "once"])
@pytest.mark.parametrize("variant", ["", "/vnet", "/clsnet"])
def test_without_refinements_it_is_the_joint_step(update: str, variant: str):
    """The same weights, to the bit, after one update of the same network on the same batch."""
    recipe = load_recipe(f"cms_vnet_iter{variant}", overrides=SMALL)
    plain, joint, _ = one_step(recipe, Component("joint"), refinements=0)
    network, values, before = one_step(recipe, Component("refinement", {"update": update}), refinements=0)
    assert len(before) == 1
    assert torch.equal(values.total, joint.total)
    assert all(torch.equal(plain.state_dict()[name], tensor) for name, tensor in network.state_dict().items())
    untouched = network_of(recipe).state_dict()
    assert any(not torch.equal(untouched[name], tensor) for name, tensor in network.state_dict().items())


def test_every_pass_learns_from_what_the_one_before_said():
    """The printed algorithm, written out: an update per pass, the map taken before it."""
    recipe = load_recipe("cms_vnet_iter", overrides=SMALL)
    network, values, before = one_step(recipe, recipe.training.step, refinements=2)
    assert len(before) == 3
    head = "vnet.mask_head.weight"
    assert not torch.equal(before[0][head], before[1][head])
    assert not torch.equal(before[1][head], before[2][head])
    plain, cases, shown = network_of(recipe), batch(), batch().image
    loss = build_loss(recipe, setting=setting_of(recipe))
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    for _ in range(3):
        output = plain(shown)
        optimizer.zero_grad()
        last = loss(output, cases)
        last.total.backward()
        optimizer.step()
        shown = cases.image + output.mask_logits.softmax(dim=1)[:, 1:].detach()
    assert torch.equal(values.total, last.total)
    assert all(torch.equal(plain.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_one_update_for_all_passes_has_the_gradient_of_their_sum():
    recipe = load_recipe("cms_vnet_iter/update-once", overrides=SMALL)
    totals: list[Tensor] = []
    network = network_of(recipe)
    wrapped = Refined(network, meaning=setting_of(recipe).mask_meaning, refinements=2)
    loss = build_loss(recipe, setting=setting_of(recipe))
    values = build_step(recipe.training.step)(batch(), network=wrapped, loss=loss, update=totals.append)
    (total,) = totals
    plain, cases, shown = network_of(recipe), batch(), batch().image
    single = []
    for _ in range(3):
        output = plain(shown)
        single.append(loss(output, cases).total)
        shown = cases.image + output.mask_logits.softmax(dim=1)[:, 1:].detach()
    assert torch.equal(total, single[0] + single[1] + single[2])
    assert torch.equal(values.total, single[2])
    total.backward()
    sum(single).backward()
    for own, other in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


def test_the_joint_step_learns_from_the_last_pass_alone():
    recipe = load_recipe("cms_vnet_iter", overrides=SMALL)
    _, values, before = one_step(recipe, Component("joint"), refinements=1)
    assert len(before) == 1
    plain, cases = network_of(recipe), batch()
    shown = cases.image + plain(cases.image).mask_logits.softmax(dim=1)[:, 1:].detach()
    loss: Any = build_loss(recipe, setting=setting_of(recipe))
    assert torch.equal(values.total, loss(plain(shown), cases).total)


def test_unknown_ways_to_update_are_told():
    with pytest.raises(InputError, match="it must be one of per_pass, once"):
        build_step(Component("refinement", {"update": "twice"}))


def test_a_fold_is_trained_with_refinements(
    tiny_recipe: Callable[..., Recipe], cases: Sequence[Case], fold: Fold, strict: Protocol, tmp_path: Path
):
    """Weights stay those of the plain network; without refinements the step changes nothing."""

    def weights(out: str, *overrides: str) -> dict[str, Tensor]:
        recipe = tiny_recipe("training.epochs=1", *overrides)
        train_fold(recipe, cases=cases, fold=fold, out=tmp_path / out, protocol=strict, device="cpu")
        return load_file(tmp_path / out / "best.safetensors")

    plain = weights("plain")
    same = weights("same", "training.step={name: refinement}")
    other = weights("refined", "training.step={name: refinement}", "model.refinements=1")
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[name], same[name]) for name in plain)
    assert any(not torch.equal(plain[name], other[name]) for name in plain)
