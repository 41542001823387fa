from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from tests.rounding import sum_tolerance

from bustle.core.errors import InputError
from bustle.models import zoo
from bustle.models.blocks.encoder import build_encoder
from bustle.models.weights import load_encoder_weights, load_model_weights


def written(model: torch.nn.Module, path: Path) -> Path:
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return path


def whole_network(name: str, seed: int = 3) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = timm.create_model(name)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    return model.eval()


@pytest.mark.parametrize("name", ["resnet18", "test_convnext", "test_efficientnet"])
def test_a_published_file_gives_timms_own_features(name: str, tmp_path: Path):
    network = whole_network(name)
    file = written(network, tmp_path / "network.safetensors")
    encoder = build_encoder(name, in_channels=3, weights=str(file)).eval()
    reference = timm.create_model(
        name, features_only=True, pretrained=True, pretrained_cfg_overlay={"file": str(file)}
    ).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        # the same layers in the same order: not even the rounding differs
        assert all(torch.equal(a, b) for a, b in zip(encoder(image), reference(image), strict=True))


def test_the_real_mobilenet_file_fits(real_data: Path):
    file = real_data / "weights" / "mobilenetv2_100_imagenet.safetensors"
    encoder = build_encoder("mobilenetv2_100", in_channels=3, weights=str(file), options={"pad_type": "same"}).eval()
    network = timm.create_model(
        "mobilenetv2_100", pad_type="same", pretrained=True, pretrained_cfg_overlay={"file": str(file)}
    ).eval()
    image = torch.rand(1, 3, 64, 96, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        found = encoder.double()(image)[-1]
        torch.testing.assert_close(found, network.double().forward_intermediates(image)[1][-1])


def test_a_colour_file_starts_a_grey_network_with_the_summed_filters(tmp_path: Path):
    network = whole_network("resnet18")
    file = written(network, tmp_path / "network.safetensors")
    encoder = build_encoder("resnet18", in_channels=1, weights=str(file))
    colours = network.state_dict()["conv1.weight"].double()
    difference = encoder.body.state_dict()["conv1.weight"] - colours.sum(dim=1, keepdim=True)
    assert (difference.abs() <= sum_tolerance(3) * colours.abs().sum(dim=1, keepdim=True)).all()


def test_weights_in_half_precision_are_taken_in_full(tmp_path: Path):
    network = whole_network("resnet18").half()
    encoder = build_encoder("resnet18", in_channels=3, weights=str(written(network, tmp_path / "half.safetensors")))
    assert encoder.body.state_dict()["conv1.weight"].dtype == torch.float32


def test_files_of_other_networks_are_refused_by_name(tmp_path: Path):
    file = written(whole_network("resnet18"), tmp_path / "resnet18.safetensors")
    with pytest.raises(InputError, match=r"resnet18.safetensors: these are the weights of another network: missing"):
        build_encoder("resnet34", in_channels=3, weights=str(file))
    with pytest.raises(InputError, match=r"missing \d+ \(blocks"):
        build_encoder("mobilenetv2_100", in_channels=3, weights=str(file))
    wider = {**whole_network("resnet18").state_dict(), "layer1.0.conv1.weight": torch.zeros(96, 64, 3, 3)}
    save_file(wider, tmp_path / "wider.safetensors")
    with pytest.raises(InputError, match=r"layer1.0.conv1.weight has shape 96x64x3x3, the network's has 64x64x3x3"):
        load_encoder_weights(build_encoder("resnet18", in_channels=3).body, tmp_path / "wider.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not a header")
    with pytest.raises(InputError, match=r"broken.safetensors: is not a readable safetensors file"):
        build_encoder("resnet18", in_channels=3, weights=str(tmp_path / "broken.safetensors"))
    with pytest.raises(InputError, match=r"absent.safetensors: no such weights file"):
        build_encoder("resnet18", in_channels=3, weights=str(tmp_path / "absent.safetensors"))


TINY = {"backbone": "test_resnet", "decoder_channels": [32, 24, 16, 8]}


def rmtl_net(seed: int, class_count: int = 2, **config) -> torch.nn.Module:
    torch.manual_seed(seed)
    return zoo.build("rmtl_net", {**TINY, **config}, in_channels=3, class_count=class_count)


def test_a_model_starts_from_a_whole_model_or_from_an_encoder(tmp_path: Path):
    source, target = rmtl_net(0), rmtl_net(1)
    load_model_weights(target, written(source, tmp_path / "best.safetensors"))
    pairs = zip(source.state_dict().values(), target.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)

    network, target = whole_network("test_resnet"), rmtl_net(1)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    load_model_weights(target, written(network, tmp_path / "encoder.safetensors"))
    after, given = target.state_dict(), network.state_dict()
    for key, value in after.items():
        name = key.removeprefix("encoder.body.")
        assert torch.equal(value, given[name] if key.startswith("encoder.body.") else before[key])


def test_a_whole_model_must_fit_exactly(tmp_path: Path):
    file = written(rmtl_net(0), tmp_path / "best.safetensors")
    with pytest.raises(InputError, match=r"unexpected \d+ \(attention.fusion"):
        load_model_weights(rmtl_net(0, regions=[]), file)
    with pytest.raises(InputError, match=r"class_head.1.bias has shape 2, the network's has 3"):
        load_model_weights(rmtl_net(0, class_count=3), file)
    with pytest.raises(InputError, match="weights of another network"):
        load_model_weights(torch.nn.Linear(2, 2), file)
