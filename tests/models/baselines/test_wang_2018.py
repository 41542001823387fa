"""What is particular to Wang et al.'s network: the class head on the bottleneck, with either encoder."""

from __future__ import annotations

import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.description import describe


def test_the_plain_network_is_the_u_net_and_a_class_head():
    u_net = zoo.get("unet")
    with torch.device("meta"):
        plain = u_net.build(u_net.config_type(), in_channels=3, class_count=2)
    head = 1024 * 1024 + 2 * 1024 + 1024 * 2 + 2
    assert describe(load_recipe("wang_2018/plain")).params == sum(p.numel() for p in plain.parameters()) + head


def test_the_compared_network_has_a_resnet_18_of_imagenet():
    recipe = load_recipe("wang_2018")
    assert recipe.model.encoder_weights == "imagenet"
    assert load_recipe("wang_2018/plain").model.encoder_weights is None
    description = describe(recipe)
    assert description.params == 14_599_491
    assert description.gmacs < 10


@pytest.mark.parametrize("config", [{"widths": [8, 12, 16]}, {"backbone": "test_resnet"}])
def test_the_class_head_reads_the_bottleneck(config: dict):
    model = zoo.build("wang_2018", config, in_channels=3, class_count=2).eval()
    image = torch.randn(2, 3, 50, 64)
    with torch.no_grad():
        bottleneck = model.get_submodule("encoder")(image)[-1]
        pooled = model.get_submodule("class_features")(bottleneck).mean(dim=(2, 3))
        torch.testing.assert_close(
            model(image).class_logits, model.get_submodule("class_head")(pooled[..., None, None])
        )


@pytest.mark.parametrize(
    ("config", "message"),
    [({"widths": [8]}, "widths must be"), ({"decoder_channels": [0]}, "decoder_channels must be")],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("wang_2018", config, in_channels=3, class_count=2)


def test_encoder_weights_need_a_backbone():
    with pytest.raises(InputError, match=r"choose a model\.config\.backbone"):
        zoo.build("wang_2018", {}, in_channels=3, class_count=2, encoder_weights="imagenet")
