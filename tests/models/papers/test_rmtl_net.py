"""What is particular to RMTL-Net: published counts, variants, and where gradients go (Tables 2 to 5 and 10)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import Recipe, load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.losses.build import build_loss
from bustle.losses.setting import LossSetting
from bustle.models import zoo
from bustle.models.description import describe
from bustle.models.papers.rmtl_net import SPEC, Config, feature_gate

VARIANTS = {
    "rmtl_net/mtl-net": (),
    "rmtl_net/mtl-net+p": ("peritumoral",),
    "rmtl_net/mtl-net+t": ("tumour",),
    "rmtl_net/mtl-net+b": ("background",),
    "rmtl_net/mtl-net+t+p": ("tumour", "peritumoral"),
    "rmtl_net/mtl-net+p+b": ("peritumoral", "background"),
    "rmtl_net/mtl-net+t+b": ("tumour", "background"),
    "rmtl_net": ("tumour", "peritumoral", "background"),
}
SMALL = [
    "model.config.backbone=test_resnet",
    "model.config.decoder_channels=[32, 24, 16, 8]",
    "model.config.dropout=0",
]


def small(name: str, *overrides: str) -> Recipe:
    return load_recipe(name, overrides=[*SMALL, *overrides])


def build(recipe: Recipe, *, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return zoo.build("rmtl_net", recipe.model.config, in_channels=3, class_count=2)


def batch() -> Batch:
    torch.manual_seed(0)
    lesion = torch.zeros(4, 64, 64, dtype=torch.int64)
    lesion[:, 20:40, 16:44] = 1
    yes, no = torch.ones(4, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)
    return Batch(
        case_ids=["a", "b", "c", "d"],
        image=torch.randn(4, 3, 64, 64),
        lesion_mask=lesion,
        gland_mask=torch.zeros(4, 64, 64),
        label=torch.tensor([0, 1, 0, 1]),
        has_mask=yes,
        has_gland=no,
        has_box=no,
        has_label=yes,
    )


def step(recipe: Recipe, model: torch.nn.Module) -> float:
    """One forward and backward pass with the recipe's losses; returns the total loss."""
    meaning = SPEC.mask_meaning(from_mapping(Config, recipe.model.config, where="model.config"))
    total = build_loss(recipe, setting=LossSetting(mask_meaning=meaning))(model(batch().image), batch()).total
    total.backward()
    return total.item()


@pytest.mark.parametrize(
    ("name", "method", "parameters"),
    [
        ("rmtl_net/parity-uresnet", "UResNet", 93_500_842),
        ("rmtl_net/parity-mtl-net", "MTL-Net", 93_504_940),
        ("rmtl_net/parity", "RMTL-Net", 93_506_099),
    ],
)
def test_the_parity_presets_have_the_published_parameter_counts(name: str, method: str, parameters: int):
    description = describe(load_recipe(name))
    assert description.params == parameters  # P1
    assert description.params - description.trainable_params == 2048 * 1000 + 1000  # ImageNet's layer, frozen
    printed = [
        row.mean
        for row in published_for({"paper": "rmtl_net", "method": method})
        if row.metric.endswith("parameters")
    ]
    assert printed == [parameters]
    assert description.gmacs == pytest.approx(44.4, abs=0.1)


@pytest.mark.parametrize(("name", "regions"), VARIANTS.items())
def test_every_variant_trains(name: str, regions: tuple[str, ...]):
    recipe = small(name)
    assert tuple(recipe.model.config["regions"]) == regions
    channels = 3 if regions else 2
    assert len(SPEC.mask_meaning(Config(regions=regions)).channels) == channels
    model = build(recipe)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    assert model(batch().image).mask_logits.shape == (4, channels, 64, 64)
    watched = ("encoder.body.bn1.weight", "decoder.blocks.0.up.0.weight", "mask_head.weight", "class_head.1.bias")
    before = {name: model.get_parameter(name).detach().clone() for name in watched}
    optimizer.zero_grad()
    assert 0 < step(recipe, model) < 3
    optimizer.step()
    assert not any(torch.equal(before[name], model.get_parameter(name)) for name in watched)


def test_uresnet_has_no_classes_and_trains():
    recipe = small("rmtl_net/uresnet")
    assert [loss.name for loss in recipe.losses] == ["region_cross_entropy"]
    model = build(recipe)
    assert model(batch().image).class_logits is None
    assert 0 < step(recipe, model) < 3


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_the_lambda_sweep_weighs_segmentation_with_lambda(weight: float):
    recipe = load_recipe(f"rmtl_net/lambda-{weight}")
    assert [loss.options["weight"] for loss in recipe.losses] == pytest.approx([weight, 1 - weight])
    assert recipe.losses[0].options["ring_width"] == 32
    assert replace(recipe, id="", title="", losses=(), published_as={}) == replace(
        load_recipe("rmtl_net"), id="", title="", losses=(), published_as={}
    )


def test_all_shipped_variants_are_known_here():
    sweep = {f"rmtl_net/lambda-{w}" for w in (0.1, 0.3, 0.5, 0.7, 0.9)} | {"rmtl_net/gamma-0.9", "rmtl_net/uresnet"}
    parity = {"rmtl_net/parity", "rmtl_net/parity-mtl-net", "rmtl_net/parity-uresnet"}
    parity |= {"rmtl_net/se", "rmtl_net/cbam"}  # the authors' future work
    shipped = {name for name in recipe_ids(ablations=True) if name.startswith("rmtl_net/")}
    assert shipped == (set(VARIANTS) - {"rmtl_net"}) | sweep | parity
    assert load_recipe("rmtl_net/gamma-0.9").schedule.options["factor"] == 0.9


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def test_squeeze_and_excitation_by_hand():
    """Hu et al., eq. 2 to 4: mean over space, C to C/16 with ReLU, back to C, sigmoid, times the features."""
    torch.manual_seed(0)
    gate, features = feature_gate("se", 32).double(), torch.randn(2, 32, 5, 7, dtype=torch.float64)
    weights = {name: value.detach().numpy().squeeze() for name, value in gate.named_parameters()}
    assert weights["fc1.weight"].shape == (2, 32)
    values = features.numpy()
    hidden = np.maximum(values.mean(axis=(2, 3)) @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    scale = sigmoid(hidden @ weights["fc2.weight"].T + weights["fc2.bias"])
    np.testing.assert_allclose(gate(features).detach().numpy(), values * scale[:, :, None, None], rtol=1e-10)


def test_cbam_by_hand():
    """Woo et al., eq. 1 to 3: channels first, then places; here with one place, where the 7x7 filter has one tap."""
    torch.manual_seed(0)
    gate, features = feature_gate("cbam", 32).double().eval(), torch.randn(2, 32, 1, 1, dtype=torch.float64)
    weights = {name: value.detach().numpy() for name, value in gate.named_parameters()}
    values = features.numpy()[:, :, 0, 0]  # mean and maximum over space are the value itself
    hidden = np.maximum(values @ weights["0.mlp.0.weight"].T + weights["0.mlp.0.bias"], 0)
    channels = values * sigmoid(2 * (hidden @ weights["0.mlp.2.weight"].T + weights["0.mlp.2.bias"]))
    taps = weights["1.gate.0.weight"][0, :, 3, 3]
    place = (taps[0] * channels.max(axis=1) + taps[1] * channels.mean(axis=1)) / np.sqrt(
        1 + 1e-5
    )  # batch norm at rest
    found = gate(features).detach().numpy()[:, :, 0, 0]
    np.testing.assert_allclose(found, channels * sigmoid(place)[:, None], rtol=1e-10)


@pytest.mark.parametrize("name", ["se", "cbam"])
def test_attention_in_place_of_regions_gates_what_the_class_head_sees(name: str):
    model = build(small(f"rmtl_net/{name}")).eval()
    assert model.attention is None
    image = batch().image
    deepest = model.encoder(image)[-1]
    gated = model.gate(deepest.clone())
    expected = model.class_head(gated.mean(dim=(-2, -1)), lambda: gated)
    output = model(image)
    torch.testing.assert_close(output.class_logits, expected)
    assert output.mask_logits.shape[1] == 2
    plain = build(small("rmtl_net/mtl-net")).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    assert (plain(image).class_logits - expected).abs().max() > 1e-4
    with pytest.raises(ValueError, match="in place of regions"):
        Config(attention=name)


def gradients(*, mask_weight: float, detach: bool = False, name: str = "rmtl_net") -> tuple[float, float]:
    """The largest gradient in the class layer and in the mask head, where regions pass the threshold."""
    recipe = small(
        name,
        f"losses.0.weight={mask_weight}",
        f"losses.1.weight={1 - mask_weight}",
        f"model.config.detach_probability={str(detach).lower()}",
    )
    model = build(recipe)
    with torch.no_grad():
        model.get_submodule("mask_head").weight.mul_(50)
    step(recipe, model)
    heads = (model.get_submodule("class_head")[1].weight, model.get_submodule("mask_head").weight)
    return tuple(float(head.grad.abs().max()) for head in heads)  # type: ignore[return-value]


def test_lambda_one_leaves_the_class_layer_alone():
    class_gradient, mask_gradient = gradients(mask_weight=1.0)
    assert class_gradient == 0
    assert mask_gradient > 0


def test_lambda_zero_reaches_the_mask_head_only_through_undetached_regions():
    assert gradients(mask_weight=0.0)[1] > 0
    assert gradients(mask_weight=0.0, detach=True)[1] == 0
    assert gradients(mask_weight=0.0, name="rmtl_net/mtl-net")[1] == 0
    assert gradients(mask_weight=0.0, detach=True)[0] > 0


def test_without_a_certain_region_the_classes_are_the_same_for_every_image():
    """No cell passes the threshold, so the class head sees a constant."""
    model = build(small("rmtl_net")).eval()
    with torch.no_grad():
        model.get_submodule("mask_head").weight.zero_()
        model.get_submodule("mask_head").bias.zero_()
        first, second = model(batch().image[:2]).class_logits
    torch.testing.assert_close(first, second)


def test_the_class_head_looks_where_the_regions_are():
    """With the tumour certain everywhere, the tumour variant equals global pooling, that is MTL-Net."""
    plain, guided = build(small("rmtl_net/mtl-net")).eval(), build(small("rmtl_net/mtl-net+t")).eval()
    shared = {k: v for k, v in plain.state_dict().items() if not k.startswith("mask_head")}
    guided.load_state_dict(shared, strict=False)
    with torch.no_grad():
        guided.get_submodule("mask_head").weight.zero_()
        guided.get_submodule("mask_head").bias.copy_(torch.tensor([50.0, 0.0, 0.0]))
        torch.testing.assert_close(plain(batch().image).class_logits, guided(batch().image).class_logits)


@pytest.mark.parametrize("size", [(256, 256), (224, 224), (320, 320), (250, 333)])
def test_any_size_comes_back_as_it_went_in(size: tuple[int, int]):
    model = build(small("rmtl_net")).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, *size)).mask_logits.shape == (1, 3, *size)


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv2_100", "efficientnet_b0", "convnext_tiny"])
def test_narrow_decoders_fit_every_family(backbone: str):
    config = {"backbone": backbone, "decoder_channels": [128, 64, 48, 32]}
    with torch.device("meta"):
        model = zoo.build("rmtl_net", config, in_channels=1, class_count=3)
        output = model(torch.empty(2, 1, 97, 64))
    assert output.mask_logits.shape == (2, 3, 97, 64)
    assert output.class_logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"regions": ["tumor"]}, "tumour, peritumoral, background"),
        ({"regions": ["tumour", "tumour"]}, "names a region twice"),
        ({"classification": False}, "classification false needs an empty list"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"threshold": 1.0}, "threshold must be"),
        ({"decoder_channels": [64, 0, 8, 8]}, "decoder_channels must be at least 1"),
        ({"region": []}, "unknown key 'region' in model.config; did you mean regions"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("rmtl_net", {"backbone": "test_resnet", **config}, in_channels=3, class_count=2)


def test_the_unused_layer_is_declared():
    model = zoo.build("rmtl_net", {"backbone": "test_resnet", "keep_unused_fc": True}, in_channels=3, class_count=2)
    assert not model.get_submodule("unused_fc").weight.requires_grad
    assert SPEC.without_gradient(Config(keep_unused_fc=True)) == ("unused_fc.",)
    assert SPEC.without_gradient(Config()) == ()
