"""What is particular to the RMTL of Rasaee and Rivaz: exact counts, the mask head's sizes, LA-Net's strategies."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe, recipe_ids
from bustle.models import zoo
from bustle.models.baselines.rasaee_mtl import UpStep
from bustle.models.description import describe
from bustle.training.stages import stages_of

SMALL = {"backbone": "test_resnet", "mask_channels": [8, 4], "mask_sizes": [16, 112]}


@pytest.mark.parametrize(
    ("recipe", "backbone", "head", "total"),
    [
        ("rasaee_mtl", "resnet18", 1_328_643, 12_506_181),
        ("rasaee_mtl/resnet50", "resnet50", 4_867_587, 28_379_717),
    ],
)
def test_the_parameters_are_those_of_the_compared_network(recipe: str, backbone: str, head: int, total: int):  # P5
    assert describe(load_recipe(recipe)).params == total
    with torch.device("meta"):
        model = zoo.build("rasaee_mtl", {"backbone": backbone}, in_channels=3, class_count=2)
    assert sum(p.numel() for p in model.get_submodule("mask_head").parameters()) == head


def test_the_mask_grows_over_fixed_sizes_to_the_inputs():
    model = zoo.build("rasaee_mtl", SMALL, in_channels=3, class_count=2).eval()
    seen: list[tuple[int, ...]] = []
    for step in model.get_submodule("mask_head"):
        step.register_forward_hook(lambda _m, _i, out: seen.append(tuple(out.shape[1:])))
    with torch.no_grad():
        model(torch.randn(1, 3, 96, 160))
    assert seen == [(8, 16, 16), (4, 112, 112), (1, 96, 160)]


def test_a_step_is_convolution_relu6_resize_norm_in_that_order():
    torch.manual_seed(0)
    step, features = UpStep(3, 2).eval(), 20 * torch.randn(1, 3, 2, 2)
    with torch.no_grad():
        step.norm.weight.fill_(2.0)
        step.norm.bias.fill_(-1.0)
        found = step(features, (3, 3))
        corners = F.conv2d(features, step.conv.weight, step.conv.bias, padding=1).clamp(0, 6)
    middle = corners.mean(dim=(-2, -1))  # aligned corners: the centre of 3 x 3 is the mean of the four
    scale = 2 / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(found[..., 1, 1], middle * scale - 1)
    torch.testing.assert_close(found[..., ::2, ::2], corners * scale - 1)


@pytest.mark.parametrize("depth", ["", "resnet50-"])
@pytest.mark.parametrize("share", [25, 50, 75, 100])
def test_sequential_semi_supervised_learning_is_location_then_both(depth: str, share: int):
    recipe = load_recipe(f"rasaee_mtl/{depth}s-ssl-{share}")
    assert recipe.data.located_fraction == share / 100
    assert recipe.model.config["backbone"] == ("resnet50" if depth else "resnet18")
    first, second = stages_of(recipe, folder=Path())
    assert first.located_only
    assert [loss.name for loss in first.recipe.losses] == ["mask_cross_entropy"]
    assert first.recipe.training.step.name == "joint"
    assert not second.located_only
    assert second.recipe.losses == load_recipe("rasaee_mtl").losses
    assert second.recipe.training.step.name == "semi_supervised"
    assert second.recipe.training.step.options == {"threshold": 0.8, "weight": 0.1, "gate": "true_class"}


@pytest.mark.parametrize("depth", ["", "resnet50-"])
@pytest.mark.parametrize("share", [25, 50, 75])
def test_the_supervised_form_leaves_unlocated_cases_out(depth: str, share: int):
    recipe = load_recipe(f"rasaee_mtl/{depth}located-{share}")
    assert recipe.data.located_fraction == share / 100
    (only,) = stages_of(recipe, folder=Path())
    assert only.located_only
    assert only.recipe.losses == load_recipe("rasaee_mtl").losses


def test_all_shipped_variants_are_known_here():
    shipped = {name for name in recipe_ids(ablations=True) if name.startswith("rasaee_mtl/")}
    forms = [f"s-ssl-{share}" for share in (25, 50, 75, 100)] + [f"located-{share}" for share in (25, 50, 75)]
    assert shipped == {"rasaee_mtl/resnet50"} | {
        f"rasaee_mtl/{depth}{form}" for depth in ("", "resnet50-") for form in forms
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [({"mask_sizes": [16]}, "equally many"), ({"mask_sizes": [16, 0]}, "must be at least 1")],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("rasaee_mtl", {**SMALL, **config}, in_channels=3, class_count=2)


def test_the_class_head_is_one_layer_on_pooled_features():
    model = zoo.build("rasaee_mtl", SMALL, in_channels=3, class_count=2).eval()
    head = model.get_submodule("class_head")
    assert isinstance(head, nn.Linear)
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        pooled = model.get_submodule("encoder")(image)[-1].mean(dim=(2, 3))
        torch.testing.assert_close(model(image).class_logits, nn.functional.linear(pooled, head.weight, head.bias))
