"""What is particular to the attention-gated network: weighted means, and gates that show where it looked."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.agn_like import attended_mean
from bustle.models.description import describe

SMALL = {"backbone": "test_resnet", "backbone_options": {"out_indices": [0, 1, 2, 3]}, "gate_width": 8}


def build(**config) -> nn.Module:
    torch.manual_seed(0)
    return zoo.build("agn_like", {**SMALL, **config}, in_channels=3, class_count=2).eval()


def test_the_parameters_are_those_of_the_layout_counted_by_hand():
    vgg = 14_723_136  # the convolutions of VGG-16 with batch norm
    gates = sum(256 * channels + (256 * 512 + 256) + (256 + 1) for channels in (256, 512))
    assert describe(load_recipe("agn_like")).params == vgg + gates + 2 * (256 + 512 + 512 + 1)


def test_the_last_pooling_of_vgg_is_left_out():
    with torch.device("meta"):
        model = zoo.build("agn_like", {}, in_channels=3, class_count=2)
        deepest = model.get_submodule("encoder")(torch.empty(1, 3, 256, 256))[-1]
    assert deepest.shape == (1, 512, 16, 16)


def test_open_gates_give_the_plain_mean():
    features = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(attended_mean(features, torch.full((2, 1, 4, 5), 30.0)), features.mean(dim=(2, 3)))


def test_one_open_gate_gives_what_stands_there():
    features, logits = torch.randn(2, 3, 4, 5), torch.full((2, 1, 4, 5), -40.0)
    logits[..., 1, 2] = 40
    torch.testing.assert_close(attended_mean(features, logits), features[..., 1, 2])


def test_closed_gates_give_finite_numbers():
    assert attended_mean(torch.randn(1, 3, 4, 4), torch.full((1, 1, 4, 4), -200.0)).isfinite().all()


def test_the_mask_is_the_mean_of_the_gates():
    model, image = build(), torch.randn(1, 3, 64, 64)
    for gate in model.get_submodule("gates"):
        nn.init.zeros_(gate.join.weight)
    with torch.no_grad():
        model.get_submodule("gates")[0].join.bias.fill_(3.0)
        model.get_submodule("gates")[1].join.bias.fill_(-1.0)
        torch.testing.assert_close(model(image).mask_logits, torch.ones(1, 1, 64, 64))


def test_classes_alone_teach_the_gates():
    assert [loss.name for loss in load_recipe("agn_like/classes-only").losses] == ["class_cross_entropy"]
    model = build()
    model(torch.randn(2, 3, 64, 64)).class_logits.square().sum().backward()
    assert all(gate.join.weight.grad.abs().max() > 0 for gate in model.get_submodule("gates"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gated_strides": []}, "at least one stride"),
        ({"gated_strides": [4, 4]}, "each only once"),
        ({"gated_strides": [4, 16]}, r"can gate the strides \[2, 4, 8\]"),
        ({"gate_width": 0}, "gate_width must be"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)
