from __future__ import annotations

import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.baselines.nnunet_like import Config
from bustle.training.loss_setting import loss_setting

FULL = [32, 64, 128, 256, 512, 512, 512]


def build(config: dict, *, in_channels: int = 1) -> nn.Module:
    with torch.device("meta"):
        return zoo.build("nnunet_like", config, in_channels=in_channels, class_count=2)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_parameters_are_those_of_the_layout_counted_by_hand():
    def twice(inputs: int, width: int) -> int:  # two 3x3 convolutions without bias, each with scale and shift
        return 9 * inputs * width + 2 * width + 9 * width * width + 2 * width

    encoder = sum(twice(i, o) for i, o in zip([1, *FULL[:-1]], FULL, strict=True))
    pairs = list(zip(FULL[1:], FULL[:-1], strict=True))
    decoder = sum(4 * coarse * fine + fine + twice(2 * fine, fine) for coarse, fine in pairs)
    heads = sum(2 * width + 2 for width in FULL[:5])
    model = build({})
    assert count(model) == encoder + decoder + heads + 2 * 1024 + 2 == 33_465_804
    assert list(Config().widths) == FULL


def test_the_maps_of_deep_supervision_halve_from_one_to_the_next():
    model = build({})
    for training in (True, False):
        output = model.train(training)(torch.empty(2, 1, 256, 256, device="meta"))
        sizes = {name: tuple(maps.shape) for name, maps in output.aux_masks.items()}
        assert sizes == {f"deep_{k}": (2, 2, 256 >> k, 256 >> k) for k in (1, 2, 3, 4)}


def test_without_deep_maps_there_are_none():
    output = build({"stages": 3, "deep_maps": 0})(torch.empty(1, 1, 64, 64, device="meta"))
    assert output.aux_masks == {}


@pytest.mark.parametrize("size", [(32, 32), (33, 61), (250, 333)])
def test_any_size_reaches_the_bottleneck_with_two_pixels_a_side(size: tuple[int, int]):
    model = zoo.build("nnunet_like", {"base_width": 2, "max_width": 4}, in_channels=1, class_count=2)
    seen: list[tuple[int, ...]] = []
    list(model.get_submodule("encoder"))[-1].register_forward_hook(lambda _m, _i, out: seen.append(out.shape[2:]))
    with torch.no_grad():
        output = model(torch.randn(1, 1, *size))
    assert output.mask_logits.shape == (1, 2, *size)
    assert tuple(seen[0]) == tuple(max(2, -(-edge // 64)) for edge in size)


def test_the_recipe_has_the_stages_that_its_size_gives():
    recipe = load_recipe("nnunet_like")
    edge, stages = min(recipe.data.size), 1
    while edge >= 8:  # halves while at least 4 pixels are left
        edge, stages = edge // 2, stages + 1
    config = recipe.model.config
    assert (config["stages"], config["deep_maps"]) == (stages, stages - 3)


def test_the_recipe_weighs_every_map_half_as_much_as_the_one_before():
    recipe = load_recipe("nnunet_like")
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    for kind in ("dice", "mask_cross_entropy"):
        weights = [loss.weights[name] for name in (kind, *(f"{kind}_deep_{k}" for k in (1, 2, 3, 4)))]
        assert weights == pytest.approx([2.0**-k / 1.9375 for k in range(5)], abs=1e-4)
        maps = [loss.losses[name].options.map for name in loss.losses if name.startswith(kind)]
        assert maps == ["mask", "deep_1", "deep_2", "deep_3", "deep_4"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"stages": 1}, "stages must be at least 2"),
        ({"base_width": 64, "max_width": 32}, "at most max_width"),
        ({"stages": 4, "deep_maps": 3}, "at most stages - 2"),
        ({"dropout": 1.0}, "dropout must be"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(config)
