"""Losses of volumes: each works as it does on images, or says that it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import load_recipe
from bustle.losses.build import LOSSES, build_loss
from bustle.losses.dice import Dice, Options
from bustle.losses.setting import LossSetting

IMAGES_ONLY = {"boundary": "measures images", "lossnet": "compares images", "region_cross_entropy": "takes images"}
OPTIONS = {"lossnet": {"weights": "random"}, "location_cross_entropy": {"map": "mask"}}
SIZE = (6, 5, 7)
CLASSES = ("benign", "malignant", "normal")


def channels_of(loss: str) -> tuple[str, ...]:
    if loss == "class_map_cross_entropy":
        return ("background", "benign")
    return ("background", "tumour" if loss == "region_cross_entropy" else "lesion")


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_takes_volumes_or_says_why_not(name: str, make_batch):
    meaning = MaskMeaning(channels_of(name), "softmax", (1,))
    maps = {
        "coarse": MaskMeaning(("gland", "lesion", "background"), "softmax", (1,)),
        "gland": MaskMeaning(("gland",), "sigmoid", ()),
    }
    recipe = replace(load_recipe("cms_vnet"), losses=(Component(name, OPTIONS.get(name, {})),))
    loss = build_loss(recipe, setting=LossSetting(mask_meaning=meaning, map_meanings=maps, classes=CLASSES))
    torch.manual_seed(0)
    masks = torch.randn(2, 2, *SIZE, requires_grad=True)
    classes = torch.randn(2, 3, requires_grad=True)
    output = MultiTaskOutput(
        masks, classes, {"coarse": torch.randn(2, 3, 3, 3, 3), "gland": torch.randn(2, 1, *SIZE)}
    )
    lesion = torch.zeros(2, *SIZE)
    lesion[:, 2:4, 1:3, 3:6] = 1
    batch = replace(make_batch(lesion, [0, 1]), gland_mask=1 - lesion, has_gland=torch.tensor([True, True]))
    if name in IMAGES_ONLY:
        with pytest.raises(InputError, match=f"{name} {IMAGES_ONLY[name]}, not volumes"):
            loss(output, batch)
        return
    total = loss(output, batch).total
    assert total.ndim == 0
    assert torch.isfinite(total)
    assert total > 0


def test_dice_of_a_volume_by_hand(make_batch):
    """Eq. 4 of C_MSVNet: 1 - (2 Σ p y + 1) / (Σ p + Σ y + 1) of the lesion channel."""
    lesion = torch.zeros(1, *SIZE)
    lesion[:, 2:4, 1:3, 3:6] = 1  # 12 of 210 voxels
    logits = torch.zeros(1, 2, *SIZE)
    logits[:, 1] = torch.logit(torch.tensor(0.25))
    loss = Dice(Options(smooth=1.0), setting=LossSetting(mask_meaning=MaskMeaning(("b", "l"), "softmax", (1,))))
    expected = 1 - (2 * 12 * 0.25 + 1) / (210 * 0.25 + 12 + 1)
    assert loss(MultiTaskOutput(logits, None), make_batch(lesion, [1])).item() == pytest.approx(expected)
