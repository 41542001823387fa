"""Classifiers by name: published counts, their weights, any size, and a training without masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import load_recipe, save_recipe
from bustle.models import zoo
from bustle.models.baselines.classifier import SPEC, Config
from bustle.models.description import describe
from bustle.models.weights import load_model_weights

pytestmark = pytest.mark.usefixtures("module_without_plots")


def build(*, in_channels: int = 3, encoder_weights: str | None = None, **config) -> torch.nn.Module:
    settings = {"backbone": "test_resnet", **config}
    return zoo.build(
        "classifier", settings, in_channels=in_channels, class_count=2, encoder_weights=encoder_weights
    ).eval()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vgg16", 138_357_544 - (4096 * 1000 + 1000) + (4096 * 2 + 2)),
        ("resnet18", 11_177_538),
        ("classifier", 23_512_130),
        ("densenet121", 6_955_906),
        ("densenet161", 26_476_418),
        ("efficientnet_b0", 4_010_110),
        ("vit_b16", 85_800_194),
    ],
)
def test_every_recipe_is_the_network_that_it_names(name: str, parameters: int):
    description = describe(load_recipe(name))
    assert description.task == "cls"
    assert description.params == description.trainable_params == parameters


@pytest.mark.parametrize(
    ("name", "method", "parameters", "frozen"),
    [("vgg16/parity", "VGG-16", 138_357_544, 0), ("resnet101/parity", "ResNet-101", 44_677_034, 2_049_000)],
)
def test_the_parity_presets_have_the_published_parameter_counts(name: str, method: str, parameters: int, frozen: int):
    description = describe(load_recipe(name))
    assert description.params == parameters  # P3
    assert description.params - description.trainable_params == frozen
    printed = [row.mean for row in published_for({"paper": "rmtl_net", "method": method, "task": "cost"})]
    assert printed == [parameters]


def test_reading_imagenets_layer_takes_its_first_outputs():
    model = build(imagenet_layer="read")
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        thousand = model.get_submodule("class_head")(model.get_submodule("encoder")(image))
        logits = model(image).class_logits
    assert thousand.shape == (2, 1000)
    assert torch.equal(logits, thousand[:, :2])
    assert SPEC.without_gradient(Config(imagenet_layer="read")) == ()
    assert SPEC.without_gradient(Config(imagenet_layer="unused")) == ("unused_fc.",)


def published_file(name: str, path: Path) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(1)
    network = timm.create_model(name).eval()
    save_file(network.state_dict(), path)
    return network, path


@pytest.mark.parametrize("start", ["encoder_weights", "init", "imagenet"])
def test_a_published_file_gives_timms_own_features(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    network, file = published_file("test_resnet", tmp_path / "published.safetensors")
    create = timm.create_model

    def without_network(name, **settings):
        if settings.get("pretrained"):
            settings["pretrained_cfg_overlay"] = {"file": str(file)}
        return create(name, **settings)

    monkeypatch.setattr(timm, "create_model", without_network)
    if start == "init":
        model = build()
        load_model_weights(model, file)
    else:
        model = build(encoder_weights="imagenet" if start == "imagenet" else str(file))
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features(image), pre_logits=True)  # type: ignore[operator]
        torch.testing.assert_close(model.get_submodule("encoder")(image), wanted)


def test_weights_that_cannot_be_had_name_the_way_out(monkeypatch: pytest.MonkeyPatch):
    create = timm.create_model

    def unreachable(name, **settings):
        if settings.get("pretrained"):
            raise OSError("no route to host")
        return create(name, **settings)

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(InputError, match=r"of 'test_resnet' cannot be fetched \(no route.*encoder_weights=null"):
        build(encoder_weights="imagenet")


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (33, 61), (50, 97), (160, 160)])
def test_a_vision_transformer_takes_any_size(size: tuple[int, int]):
    options = {"dynamic_img_size": True, "dynamic_img_pad": True}
    model = build(backbone="test_vit", backbone_options=options)
    with torch.no_grad():
        logits = model(torch.randn(2, 3, *size)).class_logits
    assert logits.shape == (2, 2)
    assert torch.isfinite(logits).all()


def test_dropout_stands_before_the_last_layer():
    model = build(dropout=0.5).train()
    model.get_submodule("encoder").body.eval()
    image = torch.randn(1, 3, 64, 64)
    still = model.get_submodule("encoder")(image)
    model.get_submodule("encoder").body.training = True  # the dropout alone: norms stay as they are
    dropped = model.get_submodule("encoder")(image)
    assert 0.2 < (dropped == 0).float().mean() < 0.8
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * still[kept])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"backbone": "resnet1O1"}, "unknown timm backbone 'resnet1O1'; did you mean resnet101"),
        ({"stem": "deep"}, "'test_resnet' has no deep stem"),
        ({"backbone_options": {"pad_typo": 1}}, "cannot be a classifier .*pad_typo"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"imagenet_layer": "kept"}, "replaced, unused, read"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)


def test_classes_alone_are_trained_validated_scored_and_predicted(tmp_path: Path, capsys):
    torch.set_default_dtype(torch.float32)  # a training as users run it
    overrides = [
        "model.encoder_weights=null",
        "model.config={backbone: test_resnet}",
        "data.size=[64, 64]",
        "training.epochs=1",
        "training.batch_size=4",
        "training.monitor=accuracy",
    ]
    save_recipe(load_recipe("classifier", overrides=overrides), tmp_path / "tiny.yaml")
    run, data = tmp_path / "run", "phantom:?cases=24&seed=0&size=64"
    words = ["train", str(tmp_path / "tiny.yaml"), "--data", data, "--holdout", "0.25", "--out", str(run)]
    assert main([*words, "--device", "cpu"]) == 0
    metrics = json.loads((run / "fold-0" / "metrics.json").read_text())
    assert metrics["classification"]["auc"]["mean"] is not None
    assert not any("mask.png" in str(path) for path in run.rglob("*"))
    assert main(["data", "phantom", "--cases", "2", "--out", str(tmp_path / "new")]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "new/images"), "--model", str(run), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "benign 0." in printed or "malignant 0." in printed
    assert "lesion" not in printed


@pytest.mark.parametrize("name", ["vgg16", "resnet101", "densenet161"])
def test_the_classifiers_of_rmtl_net_drop_half_of_the_features_before_the_last_layer(name: str):
    """RMTL-Net's Tables 8 and 9: the dropout of its own class head holds for all networks that are compared."""
    config = load_recipe(name).model.config
    assert config["dropout"] == 0.5
    assert load_recipe("vgg16/ctg").model.config["dropout"] == 0.0
    assert "dropout" not in load_recipe("densenet121").model.config


def test_dropout_takes_features_before_the_last_layer():
    torch.manual_seed(0)
    body, image = build(backbone="resnet18", dropout=0.5).get_submodule("encoder"), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        whole = body.eval()(image)
        body.train()
        for part in body.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.eval()
        dropped = body(image)[whole != 0] == 0
    assert 0.4 < float(dropped.float().mean()) < 0.6
