from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from bustle.core.errors import InputError
from bustle.models.blocks.encoder import build_encoder


@pytest.mark.parametrize(
    ("backbone", "channels", "reductions"),
    [
        ("resnet18", (64, 64, 128, 256, 512), (2, 4, 8, 16, 32)),
        ("resnet50", (64, 256, 512, 1024, 2048), (2, 4, 8, 16, 32)),
        ("mobilenetv2_100", (16, 24, 32, 96, 320), (2, 4, 8, 16, 32)),
        ("efficientnet_b0", (16, 24, 40, 112, 320), (2, 4, 8, 16, 32)),
        ("convnext_tiny", (96, 192, 384, 768), (4, 8, 16, 32)),
    ],
)
def test_backbones_are_pyramids_of_any_family(backbone, channels, reductions):
    with torch.device("meta"):
        encoder = build_encoder(backbone, in_channels=1)
        maps = encoder(torch.empty(2, 1, 96, 64))
    assert (encoder.channels, encoder.reductions) == (channels, reductions)
    assert [m.shape for m in maps] == [(2, c, 96 // r, 64 // r) for c, r in zip(channels, reductions, strict=True)]


def test_a_dilated_backbone_repeats_a_stride():
    with torch.device("meta"):
        encoder = build_encoder("resnet50", in_channels=3, options={"output_stride": 16})
        maps = encoder(torch.empty(1, 3, 96, 64))
    assert encoder.reductions == (2, 4, 8, 16, 16)
    assert [m.shape[2] for m in maps] == [48, 24, 12, 6, 6]


def test_maps_are_channels_first_where_timm_gives_them_last():
    with torch.device("meta"):
        encoder = build_encoder("swin_tiny_patch4_window7_224", in_channels=3)
        maps = encoder(torch.empty(1, 3, 224, 224))
    assert [m.shape[1] for m in maps] == list(encoder.channels)


def test_the_deep_stem_is_three_convolutions_of_64_64_and_128_channels():
    with torch.device("meta"):
        deep = build_encoder("resnet101", in_channels=3, stem="deep")
    assert deep.channels[0] == 128
    filters = [tuple(p.shape) for n, p in deep.named_parameters() if n.startswith("body.conv1") and p.ndim == 4]
    assert filters == [(64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3)]
    assert sum(p.numel() for p in deep.parameters()) == 44_672_936 - 2048 * 1000 - 1000  # RMTL-Net, Table 10, no fc
    with pytest.raises(InputError, match=r"'resnet18' has no deep stem; .* one of: .*resnet101"):
        build_encoder("resnet18", in_channels=3, stem="deep")


def test_options_reach_timm():
    with torch.device("meta"):
        same = build_encoder("mobilenetv2_100", in_channels=3, options={"pad_type": "same"})
    assert any("Same" in type(m).__name__ for m in same.modules())


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        ("resnet1O1", {}, "unknown timm backbone 'resnet1O1'; did you mean resnet101"),
        ("resnet18", {"pad_typo": "same"}, "'resnet18' with options .*pad_typo.* cannot be an encoder"),
        (
            "vit_tiny_patch16_224",
            {},
            r"gives maps of strides \(16, 16, 16\), which is no pyramid",
        ),
    ],
)
def test_impossible_backbones_are_refused(backbone, options, message):
    with pytest.raises(InputError, match=message), torch.device("meta"):
        build_encoder(backbone, in_channels=3, options=options)


def test_imagenet_weights_come_through_timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(1)
    published = timm.create_model("resnet10t")
    save_file(published.state_dict(), tmp_path / "published.safetensors")
    create = timm.create_model

    def without_network(name, **settings):
        if settings.get("pretrained"):
            settings["pretrained_cfg_overlay"] = {"file": str(tmp_path / "published.safetensors")}
        return create(name, **settings)

    monkeypatch.setattr(timm, "create_model", without_network)
    encoder = build_encoder("resnet10t", in_channels=3, weights="imagenet")
    weights = encoder.body.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in published.state_dict().items() if key in weights)
    assert len(weights) > 40


def test_without_network_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch):
    create = timm.create_model

    def unreachable(name, **settings):
        if settings.get("pretrained"):
            raise OSError("[Errno -3] Temporary failure in name resolution")
        return create(name, **settings)

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(InputError, match=r"of 'resnet18' cannot be fetched .*--init FILE.*encoder_weights=null"):
        build_encoder("resnet18", in_channels=3, weights="imagenet")
    with pytest.raises(InputError, match="timm has no pretrained weights for 'cspresnet50d'"):
        build_encoder("cspresnet50d", in_channels=3, weights="imagenet")
