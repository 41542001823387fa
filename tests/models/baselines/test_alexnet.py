"""AlexNet against torchvision's, layer by layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines import alexnet
from bustle.models.baselines.alexnet import Body
from bustle.models.description import describe
from bustle.models.weights import load_encoder_weights, load_model_weights


def test_the_recipe_has_torchvisions_parameters():
    assert describe(load_recipe("alexnet")).params == 61_100_840 - (4096 * 1000 + 1000) + (4096 * 2 + 2)


def test_torchvisions_names_shapes_and_numbers():
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        theirs, ours = models.alexnet(), Body(3, width=1.0, dropout=0.5)
    shapes = {name: tensor.shape for name, tensor in theirs.state_dict().items() if "classifier.6" not in name}
    assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == shapes
    for module, other in zip(ours.modules(), theirs.modules(), strict=False):
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            assert isinstance(other, nn.Conv2d | nn.MaxPool2d)
            assert (module.stride, module.padding) == (other.stride, other.padding)


@pytest.mark.parametrize("in_channels", [3, 1])
def test_a_local_file_starts_it(in_channels: int, tmp_path: Path):
    torch.manual_seed(0)
    published = Body(3, width=1 / 16, dropout=0.5)
    save_file(published.state_dict(), tmp_path / "published.safetensors")
    model = zoo.build("alexnet", {"width": 1 / 16}, in_channels=in_channels, class_count=2)
    load_model_weights(model, tmp_path / "published.safetensors")
    filters = published.features[0].weight
    wanted = filters if in_channels == 3 else filters.sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.get_parameter("encoder.body.features.0.weight"), wanted)
    same = zoo.build(
        "alexnet",
        {"width": 1 / 16},
        in_channels=in_channels,
        class_count=2,
        encoder_weights=str(tmp_path / "published.safetensors"),
    )
    assert torch.equal(same.get_parameter("encoder.body.classifier.4.weight"), published.classifier[4].weight)


def test_imagenet_weights_come_through_torchvision(monkeypatch: pytest.MonkeyPatch):
    published = Body(3, width=1 / 16, dropout=0.5).state_dict()
    monkeypatch.setattr(alexnet, "_fetched", lambda: published)
    model = zoo.build("alexnet", {"width": 1 / 16}, in_channels=3, class_count=2, encoder_weights="imagenet")
    body = model.get_submodule("encoder.body")
    assert all(torch.equal(tensor, published[name]) for name, tensor in body.state_dict().items())


def test_without_network_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch):
    models = pytest.importorskip("torchvision.models")

    def unreachable(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(models.AlexNet_Weights, "get_state_dict", unreachable)
    with pytest.raises(InputError, match=r"of AlexNet cannot be fetched \(no route to host\).*encoder_weights=null"):
        zoo.build("alexnet", {"width": 1 / 16}, in_channels=3, class_count=2, encoder_weights="imagenet")


def test_other_weights_are_refused():
    body = Body(3, width=1 / 16, dropout=0.5)
    with pytest.raises(InputError, match="another network: missing"):
        load_encoder_weights(body, "x.safetensors", weights={"classifier.1.bias": torch.zeros(1)})


@pytest.mark.parametrize(("config", "message"), [({"width": 0.0}, "width must"), ({"dropout": 1.0}, "dropout must")])
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("alexnet", config, in_channels=3, class_count=2)
