"""Two heads on one encoder and no link between them."""

from __future__ import annotations

import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.xie_like import SPEC
from bustle.models.description import describe


def test_the_heads_share_the_encoder_alone():
    torch.manual_seed(0)
    model = SPEC.build(SPEC.tiny, in_channels=3, class_count=2)
    output = model(torch.randn(2, 3, 64, 64))
    taught: dict[str, set[str]] = {}
    for name, logits in (("class", output.class_logits), ("mask", output.mask_logits)):
        model.zero_grad()
        logits.square().sum().backward(retain_graph=True)
        taught[name] = {key.split(".")[0] for key, p in model.named_parameters() if p.grad is not None}
    assert taught == {"class": {"encoder", "class_head"}, "mask": {"encoder", "decoder", "mask_head"}}


def test_it_says_that_it_is_an_approximation():
    description = describe(load_recipe("xie_like"))
    assert any("secondary sources" in line for line in description.deviations)
    assert description.params == 30_471_587


def test_impossible_settings_are_refused():
    with pytest.raises(InputError, match="decoder_channels must be at least 1"):
        zoo.build("xie_like", {"decoder_channels": [8, 8, 8, 0]}, in_channels=3, class_count=2)
