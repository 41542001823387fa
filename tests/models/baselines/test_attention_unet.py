"""What is particular to the Attention U-Net: its gates, and any size."""

from __future__ import annotations

import pytest
import torch
from monai.networks.nets.attentionunet import AttentionBlock

from bustle.core.recipe import load_recipe
from bustle.models.baselines.attention_unet import SPEC, Config
from bustle.models.description import describe


def test_every_skip_has_a_gate_that_only_weakens():
    torch.manual_seed(0)
    model = SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()
    gates = [module for module in model.modules() if isinstance(module, AttentionBlock)]
    assert len(gates) == len(SPEC.tiny.widths) - 1
    seen: list[bool] = []
    for gate in gates:
        gate.register_forward_hook(
            lambda module, inputs, kwargs, output: seen.append(
                bool((output.abs() <= (kwargs | dict(zip("gx", inputs, strict=False)))["x"].abs()).all())
            ),
            with_kwargs=True,
        )
    with torch.no_grad():
        model(torch.randn(1, 1, 64, 64))
    assert seen == [True, True]


def test_padding_is_to_the_coarsest_stride():
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
        assert model.stride == 16
        assert model(torch.empty(2, 3, 33, 61)).mask_logits.shape == (2, 1, 33, 61)


def test_its_count():
    description = describe(load_recipe("attention_unet"))
    assert (description.task, description.params) == ("seg", 31_740_337)


@pytest.mark.parametrize("options", [{"widths": (8,)}, {"widths": (1, 8)}, {"dropout": 1.0}])
def test_nonsense_is_refused(options: dict[str, object]):
    with pytest.raises(ValueError, match="must be"):
        Config(**options)  # type: ignore[arg-type]
