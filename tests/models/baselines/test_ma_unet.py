"""What is particular to MA U-Net: the gland map is the attention, and has a loss of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bustle.core.recipe import load_recipe
from bustle.core.types import Batch
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.baselines.ma_unet import SPEC, Config, GlandAttentiveDecoder, MaUNet
from bustle.models.blocks.unet import UNetEncoder
from bustle.training.loss_setting import loss_setting


def tiny() -> MaUNet:
    torch.manual_seed(0)
    return SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()


def test_it_is_two_unets_and_four_gates():
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
    unet = 31_037_633
    # per level: 1x1 of the skip without bias, 1x1 of the coarser map, and the joint 1x1 of the sum
    gates = sum(f * f // 2 + (2 * f) * f // 2 + f // 2 + f // 2 + 1 for f in (64, 128, 256, 512))
    assert sum(p.numel() for p in model.parameters()) == 2 * unet + gates


def test_the_gland_decides_what_passes_the_skips():
    torch.manual_seed(0)
    encoder, decoder = UNetEncoder(1, (4, 8, 16)).eval(), GlandAttentiveDecoder((4, 8, 16)).eval()
    features = encoder(torch.randn(1, 1, 32, 32))
    other = [*(torch.randn_like(skip) for skip in features[:-1]), features[-1]]
    nowhere, everywhere = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    assert torch.equal(decoder(features, nowhere), decoder(other, nowhere))  # only the coarsest map is left
    assert not torch.equal(decoder(features, everywhere), decoder(other, everywhere))


def test_the_gland_map_is_the_attention_of_the_tumour():
    model, image = tiny(), torch.randn(2, 1, 33, 61)
    with torch.no_grad():
        output = model(image)
        assert output.aux_masks["gland"].shape == (2, 1, 33, 61)
        expected = model.mask_head(model.decoder(model.encoder(image), output.aux_masks["gland"].sigmoid()))
    assert torch.equal(output.mask_logits, expected)


@pytest.mark.parametrize("annotated", [True, False])
def test_the_recipe_learns_the_gland_where_it_is_known(annotated: bool):
    model, recipe = tiny().train(), load_recipe("ma_unet")
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    no = torch.zeros(2, dtype=torch.bool)
    batch = Batch(
        case_ids=["a", "b"],
        image=torch.randn(2, 1, 32, 32),
        lesion_mask=torch.zeros(2, 32, 32, dtype=torch.int64),
        gland_mask=torch.zeros(2, 32, 32),
        label=torch.tensor([-1, -1]),
        has_mask=no,
        has_gland=no,
        has_box=no,
        has_label=no,
    )
    batch.gland_mask[:, 8:24] = 1
    values = loss(model(batch.image), replace(batch, has_gland=~no if annotated else no))
    values.total.backward()
    assert (values.terms["gland_dice"].item() > 0) is annotated
    assert values.terms["dice"].item() == 0
    gradients = [p.grad for p in model.gland_network.parameters() if p.grad is not None]
    assert any(gradient.abs().max() > 0 for gradient in gradients) is annotated


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="widths must be"):
        Config(widths=(64,))
