"""What is particular to the U-Net: the well-known count, and weights that it refuses."""

from __future__ import annotations

import pytest
import torch

from bustle.core.recipe import load_recipe
from bustle.models.baselines.unet import SPEC, Config
from bustle.models.blocks.unet import ConvStyle
from bustle.models.description import describe


def test_it_has_the_count_of_the_version_pretrained_on_car_images():
    description = describe(load_recipe("unet"))
    assert description.params == 31_037_633
    assert description.task == "seg"


def test_the_style_comes_from_the_settings():
    config = Config(widths=(8, 16), style=ConvStyle(norm="instance", activation="leaky_relu"), up="bilinear")
    kinds = {type(module).__name__ for module in SPEC.build(config, in_channels=1, class_count=2).modules()}
    assert {"InstanceNorm2d", "LeakyReLU"} <= kinds
    assert not {"BatchNorm2d", "ReLU", "ConvTranspose2d"} & kinds
    recipe = load_recipe("unet", overrides=["model.config.style.norm=group"])
    assert recipe.model.config == {"style": {"norm": "group"}}


@pytest.mark.parametrize("widths", [(8,), (1, 2, 3, 4, 5, 6), (0, 8)])
def test_nonsense_is_refused(widths: tuple[int, ...]):
    with pytest.raises(ValueError, match="widths must be"):
        Config(widths=widths)


def test_padding_never_moves_the_image():
    """A shift of the image by the coarsest stride shifts the logits, far from the border."""
    torch.manual_seed(0)
    model = SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()
    image = torch.zeros(1, 1, 96, 96)
    image[..., 40:50, 36:52] = torch.randn(10, 16)
    with torch.no_grad():
        there = model(image).mask_logits
        moved = model(torch.roll(image, (8, 4), dims=(-2, -1))).mask_logits
    torch.testing.assert_close(torch.roll(there, (8, 4), dims=(-2, -1))[..., 28:70, 28:70], moved[..., 28:70, 28:70])
