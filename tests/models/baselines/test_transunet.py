"""What is particular to TransUNet: timm's names and numbers, positions on any grid, and the count."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import StdConv2dSame

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models.baselines.transunet import SPEC, Config, TransUNet
from bustle.models.blocks import timm_body
from bustle.models.description import describe
from bustle.models.weights import load_model_weights

HYBRID = "vit_base_r50_s16_224"


def tiny(*, in_channels: int = 3, weights: str | None = None) -> TransUNet:
    torch.manual_seed(0)
    return SPEC.build(SPEC.tiny, in_channels=in_channels, class_count=2, encoder_weights=weights).eval()


def test_its_count():
    """The 105.28 million of the paper's layout; ACSNet's table prints 93.23, near the rest without the StdConvs."""
    assert describe(load_recipe("transunet")).params == 105_277_457
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
    standardised = sum(p.numel() for m in model.modules() if isinstance(m, StdConv2dSame) for p in m.parameters())
    assert 105_277_457 - standardised == pytest.approx(93.23e6, rel=0.003)


def test_the_encoder_has_timms_names_and_shapes():
    with torch.device("meta"):
        published = timm.create_model(HYBRID, num_classes=0)
        own = SPEC.build(Config(), in_channels=3, class_count=2).encoder.body
    shapes = [{name: p.shape for name, p in body.state_dict().items()} for body in (own, published)]
    assert shapes[0] == shapes[1]


def test_the_encoder_has_timms_numbers_at_the_size_of_its_training():
    encoder, image = tiny().encoder, torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        wanted = encoder.body.forward_features(image)[:, 1:]
        found = encoder(image)[-1].flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, wanted)


def test_maps_have_strides_2_4_8_and_16():
    with torch.device("meta"):
        encoder = SPEC.build(Config(), in_channels=3, class_count=2).encoder
        shapes = [tuple(m.shape[1:]) for m in encoder(torch.empty(1, 3, 256, 96))]
    assert shapes == [(64, 128, 48), (256, 64, 24), (512, 32, 12), (768, 16, 6)]


def test_positions_keep_their_place_on_another_grid():
    encoder = tiny().encoder
    rows = torch.arange(14.0).view(1, 14, 1, 1).expand(1, 14, 14, 32).reshape(1, 196, 32)
    with torch.no_grad():
        encoder.body.pos_embed[:, 1:] = rows
        same = encoder._positions(torch.Size((14, 14)))
        finer = encoder._positions(torch.Size((28, 7))).reshape(28, 7, 32)
    assert torch.equal(same, rows)
    assert torch.allclose(finer[:, 0], finer[:, 6])
    assert torch.allclose(finer[1:27, 0, 0], torch.arange(26.0) / 2 + 0.25)


def test_a_local_file_with_timms_names_starts_the_encoder(tmp_path: Path):
    torch.manual_seed(1)
    published = SPEC.build(SPEC.tiny, in_channels=3, class_count=2).encoder.body.state_dict()
    path = tmp_path / "hybrid.safetensors"
    save_file(published | {"head.weight": torch.zeros(5, 32)}, path)
    filters = published["patch_embed.backbone.stem.conv.weight"]
    assert torch.equal(tiny(weights=str(path)).encoder.body.patch_embed.backbone.stem.conv.weight, filters)
    grey = tiny(in_channels=1)
    load_model_weights(grey, path)  # --init; timm sums the filters over colours
    found = grey.encoder.body.patch_embed.backbone.stem.conv.weight
    torch.testing.assert_close(found, filters.sum(dim=1, keepdim=True))


def test_imagenet_weights_are_those_of_the_published_size(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match=r"only for R50\+ViT-B/16"):
        tiny(weights="imagenet")

    def without_network(name: str, **settings: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(timm_body.timm, "create_model", without_network)
    with pytest.raises(InputError, match=rf"weights of '{HYBRID}' cannot be fetched"), torch.device("meta"):
        SPEC.build(Config(), in_channels=3, class_count=2, encoder_weights="imagenet")


@pytest.mark.parametrize(
    "options",
    [{"heads": 7}, {"stem_channels": 48}, {"channels": (96, 128, 256)}, {"depth": 0}, {"layers": (0, 1, 1)}],
)
def test_nonsense_is_refused(options: dict[str, object]):
    with pytest.raises(ValueError, match="must"):
        Config(**options)  # type: ignore[arg-type]
