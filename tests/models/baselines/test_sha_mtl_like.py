"""What is particular to SHA-MTL: gates on the skip connections, the mask in front of the class head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.models import zoo

SMALL = {"backbone": "test_resnet", "decoder_channels": [32, 24, 16, 8], "gate_width": 8}


def build(**config) -> nn.Module:
    torch.manual_seed(0)
    return zoo.build("sha_mtl_like", {**SMALL, **config}, in_channels=3, class_count=2).eval()


def test_every_skip_connection_has_a_gate_that_the_coarser_map_leads():
    with torch.device("meta"):
        model = zoo.build("sha_mtl_like", {}, in_channels=3, class_count=2)
    widths = {
        stride: (gate.logits.of_features.in_channels, gate.logits.of_signal.in_channels)
        for stride, gate in model.get_submodule("gates").named_children()
    }
    # DenseNet-121's maps, and the decoder's: 1024 from the encoder, then 512, 256, 128
    assert widths == {"16": (1024, 1024), "8": (512, 512), "4": (256, 256), "2": (64, 128)}


def test_closed_gates_cut_the_skip_connections():
    model, image = build(), torch.randn(1, 3, 64, 64)
    for gate in model.get_submodule("gates").children():
        nn.init.zeros_(gate.logits.join.weight)
        nn.init.constant_(gate.logits.join.bias, -200.0)
    with torch.no_grad():
        features = model.get_submodule("encoder")(image)
        zeroed = [*(torch.zeros_like(each) for each in features[:-1]), features[-1]]
        plain = model.get_submodule("mask_head")(model.get_submodule("decoder")(zeroed))
        torch.testing.assert_close(model(image).mask_logits, plain)


@pytest.mark.parametrize(("bias", "share"), [(1e4, 1.0), (-1e4, 0.0)])
def test_the_class_head_sees_the_features_and_what_the_mask_leaves_of_them(bias: float, share: float):
    model, image = build(), torch.randn(2, 3, 64, 64)
    nn.init.constant_(model.get_submodule("mask_head").bias, bias)
    with torch.no_grad():
        pooled = model.get_submodule("encoder")(image)[-1].mean(dim=(2, 3))
        expected = model.get_submodule("class_head")(torch.cat([pooled, share * pooled], dim=1)[..., None, None])
        torch.testing.assert_close(model(image).class_logits, expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gate_width": 0}, "gate_width must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"decoder_channels": [32, 24, 16]}, "this backbone needs 4"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)
