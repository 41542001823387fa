"""MONAI's networks behind one face: any size, and classes from the deepest map."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.monai_segmenter import Config
from bustle.models.description import describe

SETTINGS: dict[str, dict[str, Any]] = {
    "vnet": {},
    "segresnet": {"init_filters": 8},
    "unetr": {"img_size": 32, "hidden_size": 24, "mlp_dim": 24, "num_heads": 2, "feature_size": 4},
    "swin_unetr": {"feature_size": 12},
}
SLOW = {"vnet", "swin_unetr"}
ALL = [pytest.param(name, marks=[pytest.mark.full] if name in SLOW else []) for name in SETTINGS]
WIDTH = {"vnet": 256, "segresnet": 64, "unetr": 24, "swin_unetr": 192}


def build(architecture: str, *, classification: bool = True) -> torch.nn.Module:
    torch.manual_seed(0)
    config = {
        "architecture": architecture,
        "options": SETTINGS[architecture],
        "classification": classification,
    }
    return zoo.build("monai_segmenter", config, in_channels=1, class_count=3)


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("training", [False, True])
def test_every_architecture_takes_any_size(architecture: str, training: bool):
    network = build(architecture).train(training)
    assert network.class_head[1].weight.shape == (3, WIDTH[architecture])
    for size in ((32, 32, 32), (33, 35, 37)):
        with torch.no_grad():
            output = network(torch.randn(2, 1, *size))
        assert output.mask_logits.shape == (2, 2, *size)
        assert output.class_logits.shape == (2, 3)


@pytest.mark.parametrize("architecture", ALL)
def test_the_mask_is_that_of_the_library_s_network(architecture: str):
    network = build(architecture).eval()
    volume = torch.randn(1, 1, *((32,) * 3 if architecture == "unetr" else (64, 64, 64)))
    with torch.no_grad():
        assert torch.equal(network(volume).mask_logits, network.network(volume))


@pytest.mark.parametrize("architecture", ["segresnet", pytest.param("swin_unetr", marks=pytest.mark.full)])
def test_the_class_head_teaches_the_way_down(architecture: str):
    network = build(architecture)
    network(torch.randn(2, 1, 32, 32, 32)).class_logits.square().sum().backward()
    first = {"segresnet": "network.convInit.conv.weight", "swin_unetr": "network.swinViT.patch_embed.proj.weight"}
    gradient = network.get_parameter(first[architecture]).grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_without_classes_it_segments_only():
    network = build("segresnet", classification=False).eval()
    output = network(torch.randn(1, 1, 32, 32, 32))
    assert output.class_logits is None
    assert not any("class_head" in name for name, _ in network.named_parameters())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("monai_vnet", 45_598_412), ("monai_segmenter", 4_701_172), ("unetr", 92_834_532), ("swin_unetr", 15_703_774)],
)
def test_the_recipes_are_built_at_full_size(name: str, parameters: int):
    description = describe(load_recipe(name))
    assert (description.params, description.task, description.dims) == (parameters, "joint", 3)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"architecture": "unetr"}, "options of unetr need img_size"),
        ({"options": {"in_channels": 2}}, "to the recipe"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"architecture": "unet"}, "it must be one of vnet"),
    ],
)
def test_impossible_settings_are_told(settings: dict, problem: str):
    with pytest.raises(InputError, match=problem):
        from_mapping(Config, settings, where="model.config")


def test_what_the_library_refuses_is_told():
    for config, channels in (({"options": {"filters": 3}}, 1), ({"architecture": "vnet"}, 3)):
        with pytest.raises(InputError, match="MONAI cannot build"):
            zoo.build("monai_segmenter", config, in_channels=channels, class_count=2)
