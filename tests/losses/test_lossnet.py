"""LossNet against an independent VGG16, and what it must never be: trained, saved, or silently random."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import load_recipe
from bustle.losses.build import build_loss
from bustle.losses.lossnet import LossNet, Options
from bustle.losses.setting import LossSetting

ONE = MaskMeaning(("lesion",), "sigmoid", (0,))
SETTING = LossSetting(mask_meaning=ONE)
WIDTHS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
WIDTHS |= {17: (256, 512), 19: (512, 512), 21: (512, 512)}
"""Of the convolutions of torchvision's vgg16, by their place in `features`."""
LEVEL_ENDS = (3, 8, 15, 22)


def loss(**options) -> LossNet:
    return LossNet(Options(**{"weights": "random", **options}), setting=SETTING)


def masks(count: int = 2, size: int = 32) -> Tensor:
    lesion = torch.zeros(count, size, size)
    lesion[:, 8:21, 6:24] = 1
    return lesion


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    """A file with torchvision's names and random weights, and its tensors."""
    torch.manual_seed(3)
    tensors = {}
    for place, (inputs, outputs) in WIDTHS.items():
        weight = torch.randn(outputs, inputs, 3, 3, dtype=torch.float32) * (2 / (9 * inputs)) ** 0.5
        tensors[f"features.{place}.weight"] = weight
        tensors[f"features.{place}.bias"] = 0.1 * torch.randn(outputs, dtype=torch.float32)
    path = tmp_path_factory.mktemp("weights") / "vgg16.safetensors"
    save_file({**tensors, "classifier.0.bias": torch.zeros(3)}, path)
    return path, {name: tensor.double() for name, tensor in tensors.items()}


def levels(image: Tensor, tensors: dict[str, Tensor]) -> list[Tensor]:
    """relu1_2, relu2_2, relu3_3 and relu4_3 of one map `H W`, layer by layer as torchvision numbers them."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = torch.stack([(image - m) / s for m, s in zip(mean, std, strict=True)])[None]
    found = []
    for place in range(23):
        if place in WIDTHS:
            x = F.conv2d(x, tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"], padding=1)
        elif place in (4, 9, 16):
            x = F.max_pool2d(x, 2)
        else:
            x = x.clamp_min(0)
        if place in LEVEL_ENDS:
            found.append(x)
    return found


@pytest.mark.parametrize(("distance", "layers"), [("mse", 4), ("norm", 4), ("mse", 2), ("norm", 1)])
def test_it_compares_the_levels_of_vgg16(distance: str, layers: int, vgg16, make_batch):
    path, tensors = vgg16
    torch.manual_seed(0)
    logits = 2 * torch.randn(3, 1, 32, 32)
    found = loss(weights=str(path), distance=distance, layers=layers)(
        MultiTaskOutput(logits, None), make_batch(masks(3), [0, 0, 0], [True, False, True])
    )
    expected = []
    for case in (0, 2):
        pairs = zip(levels(logits[case, 0].sigmoid(), tensors), levels(masks()[0], tensors), strict=True)
        differences = [p - y for p, y in list(pairs)[:layers]]
        each = [d.square().mean() if distance == "mse" else d.square().sum().sqrt() for d in differences]
        expected.append(float(sum(each)))
    assert found.item() == pytest.approx(sum(expected) / 2)


@pytest.mark.parametrize("distance", ["mse", "norm"])
def test_a_right_mask_costs_nothing(distance: str, make_batch):
    logits = torch.where(masks() > 0, 80.0, -80.0).unsqueeze(1).requires_grad_()
    value = loss(distance=distance)(MultiTaskOutput(logits, None), make_batch(masks(), [0, 0]))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert loss(distance=distance)(MultiTaskOutput(-logits, None), make_batch(masks(), [0, 0])).item() > 0.1


@pytest.mark.parametrize("size", [8, 11, 64])
def test_small_maps_do(size: int, make_batch):
    logits = torch.randn(2, 1, size, size, requires_grad=True)
    value = loss()(MultiTaskOutput(logits, None), make_batch(torch.ones(2, 64, 64), [0, 0]))
    value.backward()
    assert value.isfinite()


def test_it_is_frozen_and_no_part_of_what_is_trained_or_saved(make_batch):
    recipe = load_recipe("acsnet", overrides=["losses.1.weights=random"])
    combined = build_loss(recipe, setting=SETTING)
    out = MultiTaskOutput(torch.randn(2, 1, 32, 32, requires_grad=True), torch.randn(2, 2, requires_grad=True))
    combined(out, make_batch(masks(), [0, 1])).total.backward()
    assert out.mask_logits is not None
    assert out.mask_logits.grad is not None
    assert combined.state_dict() == {}
    assert list(combined.parameters()) == []
    network = combined.losses["lossnet"].features
    assert network is not None
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_random_filters_are_always_the_same_and_leave_the_random_state_alone(
    make_batch, monkeypatch: pytest.MonkeyPatch
):
    out, batch = MultiTaskOutput(torch.randn(2, 1, 16, 16), None), make_batch(masks(2, 32), [0, 0])
    torch.manual_seed(5)
    with monkeypatch.context() as without:
        without.delattr(torch, "manual_seed")  # it would seed a GPU, whose state nothing restores
        first = loss()(out, batch)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    torch.manual_seed(6)
    assert loss()(out, batch) == first


def test_validation_may_be_first_to_call(make_batch):
    own, batch = loss(), make_batch(masks(), [0, 0])
    with torch.inference_mode():
        own(MultiTaskOutput(torch.randn(2, 1, 32, 32), None), batch)
    own(MultiTaskOutput(torch.randn(2, 1, 32, 32, requires_grad=True), None), batch).backward()


def test_imagenet_weights_are_fetched_when_needed_and_never_replaced(monkeypatch: pytest.MonkeyPatch, make_batch):
    import timm

    def unreachable(*arguments, **options):
        raise OSError("no route to host\nmore")

    monkeypatch.setattr(timm, "create_model", unreachable)
    own = LossNet(Options(), setting=SETTING)  # checking a recipe needs no network
    with pytest.raises(InputError, match=r"ImageNet's VGG16, which cannot be fetched \(no route to host\); give the"):
        own(MultiTaskOutput(torch.randn(2, 1, 32, 32), None), make_batch(masks(), [0, 0]))


def test_timms_vgg16_fits(make_batch, monkeypatch: pytest.MonkeyPatch):
    import timm

    with torch.device("meta"):
        whole = timm.create_model("vgg16")
    tensors = {k: torch.zeros(v.shape) for k, v in whole.state_dict().items() if k.startswith("features.")}
    assert {int(k.split(".")[1]) for k in tensors} >= set(WIDTHS)

    class Fetched:
        def state_dict(self) -> dict[str, Tensor]:
            return tensors

    monkeypatch.setattr(timm, "create_model", lambda *arguments, **options: Fetched())
    out = MultiTaskOutput(torch.randn(2, 1, 32, 32), None)
    assert LossNet(Options(), setting=SETTING)(out, make_batch(masks(), [0, 0])).item() == 0


def test_a_wrong_file_is_an_error_at_once(tmp_path: Path):
    with pytest.raises(InputError, match="no such weights file") as caught:
        loss(weights=str(tmp_path / "absent.safetensors"))
    assert caught.value.path == tmp_path / "absent.safetensors"
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        loss(weights=str(broken))
    save_file({"features.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"not the weights of a VGG16: features\.0 is absent or of another shape"):
        loss(weights=str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize("options", [{"layers": 0}, {"layers": 5}, {"weights": ""}, {"distance": "l1"}])
def test_impossible_options_are_refused(options: dict):
    with pytest.raises(InputError, match="lossnet"):
        build_loss(
            load_recipe("acsnet", overrides=[f"losses.1.{k}={v!r}" for k, v in options.items()]), setting=SETTING
        )


def test_it_needs_images_with_a_mask(make_batch):
    with pytest.raises(InputError, match="lossnet needs a network with a mask"):
        LossNet(Options(weights="random"), setting=LossSetting())
    with pytest.raises(InputError, match="compares images"):
        loss()(MultiTaskOutput(torch.zeros(1, 1, 8, 8, 8), None), make_batch(torch.zeros(1, 8, 8, 8), [0]))


def test_the_recipes_weights_are_the_papers():
    losses = load_recipe("acsnet").losses  # eq. 12, 13: λ = 0.3, γ = 0.2
    assert losses[1] == Component("lossnet", {"weight": pytest.approx((1 - 0.3) * 0.2)})
