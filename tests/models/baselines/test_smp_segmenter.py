"""What is particular: any architecture over any encoder at any size, and where its weights may come from."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from bustle.core.errors import InputError
from bustle.models.baselines import smp_segmenter
from bustle.models.baselines.smp_segmenter import SPEC, Config
from bustle.models.counts import shipped_counts
from bustle.models.weights import load_model_weights

TINY = {"backbone": "tu-test_resnet", "options": {"encoder_depth": 4, "decoder_channels": [16, 16, 8, 8]}}


def build(weights: str | None = None, **config: Any) -> torch.nn.Module:
    return SPEC.build(Config(**config), in_channels=3, class_count=2, encoder_weights=weights)


@pytest.mark.parametrize(
    ("recipe", "task", "parameters"),
    [
        ("smp_segmenter", "seg", 14_328_209),
        ("unet_plus_plus", "seg", 15_970_449),
        ("fpn", "seg", 13_047_233),
        ("convnext_unet", "joint", 31_930_291),
        ("swin_fpn", "joint", 29_512_957),
        ("segformer", "joint", 24_723_395),
    ],
)
def test_the_recipes_have_these_counts(recipe: str, task: str, parameters: int):
    counts = shipped_counts()[recipe]  # which the shared contract compares with the network
    assert (counts.task, counts.params) == (task, parameters)


@pytest.mark.parametrize("architecture", ["unetplusplus", "manet", "linknet", "fpn", "deeplabv3plus", "upernet"])
def test_every_architecture_takes_any_size(architecture: str):
    with torch.device("meta"):
        output = build(architecture=architecture, backbone="tu-resnet18")(torch.empty(2, 3, 50, 97))
    assert output.mask_logits is not None
    assert output.mask_logits.shape == (2, 1, 50, 97)
    assert output.class_logits is None


@pytest.mark.parametrize("backbone", ["resnet18", "mit_b0", "tu-convnext_tiny", "tu-swin_tiny_patch4_window7_224"])
def test_every_kind_of_encoder_takes_any_size_and_may_classify(backbone: str):
    with torch.device("meta"):
        output = build(architecture="fpn", backbone=backbone, classification=True)(torch.empty(2, 3, 33, 61))
    assert output.mask_logits is not None
    assert output.class_logits is not None
    assert (output.mask_logits.shape, output.class_logits.shape) == ((2, 1, 33, 61), (2, 2))


def test_what_lies_outside_the_padding_is_the_networks_own_map():
    torch.manual_seed(0)
    model = build(**TINY).eval()
    image = torch.zeros(1, 3, 64, 64)
    image[..., :50, :61] = torch.randn(1, 3, 50, 61)
    with torch.no_grad():
        whole, part = model.network(image), model(image[..., :50, :61]).mask_logits
    assert torch.equal(part, whole[..., :50, :61])


def test_random_weights_need_no_network(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: object) -> None:
        pytest.fail("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for backbone in ("resnet18", "tu-resnet18", "mit_b0"):
        with torch.device("meta"):
            build(architecture="fpn", backbone=backbone)


@pytest.mark.parametrize("backbone", ["resnet18", "tu-resnet18"])
def test_weights_that_cannot_be_fetched_are_the_users_to_mend(backbone: str, monkeypatch: pytest.MonkeyPatch):
    create = smp_segmenter._create

    def without_network(config: Config, settings: Any, *, weights: Any = None) -> Any:
        if weights is not None:
            raise ConnectionError("no route to host")
        return create(config, settings)

    monkeypatch.setattr(smp_segmenter, "_create", without_network)
    with (
        pytest.raises(InputError, match=rf"ImageNet weights of '{backbone}' cannot be fetched \(no route to host\)"),
        torch.device("meta"),
    ):
        build("imagenet", backbone=backbone)


def test_fetched_weights_start_the_encoder_only(monkeypatch: pytest.MonkeyPatch):
    create, asked = smp_segmenter._create, []

    def published(config: Config, settings: Any, *, weights: Any = None) -> Any:
        network = create(config, settings)
        if weights is not None:
            asked.append(weights)
            torch.nn.init.constant_(network.encoder.model.conv1[0].weight, 3.0)
        return network

    monkeypatch.setattr(smp_segmenter, "_create", published)
    model = build("imagenet", **TINY)
    assert asked == [True]
    assert (model.encoder.body.conv1[0].weight == 3).all()


def test_a_local_file_of_a_timm_encoder_is_taken_with_either_command(tmp_path: Path):
    torch.manual_seed(1)
    published = timm.create_model("test_resnet")
    path = tmp_path / "encoder.safetensors"
    save_file(published.state_dict(), path)
    wanted = published.state_dict()["conv1.0.weight"]
    assert torch.equal(build(str(path), **TINY).encoder.body.conv1[0].weight, wanted)
    started = build(**TINY)
    load_model_weights(started, path)  # --init
    assert torch.equal(started.encoder.body.conv1[0].weight, wanted)


@pytest.mark.parametrize(
    ("config", "weights", "message"),
    [
        ({"architecture": "unett"}, None, "unknown architecture 'unett'; did you mean unet"),
        ({"backbone": "resnet19"}, None, "cannot be built over 'resnet19'"),
        ({"backbone": "tu-resnet19"}, None, "cannot be built over 'tu-resnet19'"),
        ({"options": {"decoder_chanels": [8]}}, None, "cannot be built over 'tu-resnet18'"),
        ({"backbone": "resnet18"}, "file.safetensors", "file.safetensors: the encoder 'resnet18' takes no local"),
        ({"backbone": "tu-test_resnet"}, "file.safetensors", "no such weights file"),
    ],
)
def test_what_cannot_be_is_refused(config: dict[str, Any], weights: str | None, message: str):
    with pytest.raises(InputError, match=message):
        build(weights, **config)


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"backbone": "resnet18", "backbone_options": {"a": 1}}])
def test_nonsense_is_refused(options: dict[str, Any]):
    with pytest.raises(ValueError, match=r"must|are for"):
        Config(**options)
