"""What is particular to ACSNet: released counts, the ten networks, gates and attention (eq. 1 to 7)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import load_protocol, load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.description import describe
from bustle.models.papers.acsnet import (
    SPEC,
    AcsNet,
    ChannelAttention,
    Config,
    DeformableSpatialAttention,
    GateUnit,
    resize_aligned,
)
from bustle.training.loss_setting import loss_setting

# name: (task, channel attention, gate, deformable attention, several scales) (Table 2)
VARIANTS = {
    "acsnet/unet": ("seg", False, False, False, False),
    "acsnet/clsnet": ("cls", False, False, False, False),
    "acsnet/cunet": ("joint", False, False, False, False),
    "acsnet/cu-gnet": ("joint", False, True, False, False),
    "acsnet/c-aunet": ("joint", True, False, False, False),
    "acsnet/cu-anet": ("joint", False, False, True, False),
    "acsnet/cu-ganet": ("joint", False, True, True, False),
    "acsnet/c-msunet": ("joint", False, False, False, True),
    "acsnet/c-amsunet": ("joint", True, False, False, True),
    "acsnet": ("joint", True, True, True, True),
}


def build(**config) -> AcsNet:
    """On the smallest backbone that has the released network's five maps."""
    torch.manual_seed(0)
    config = {"backbone": "test_efficientnet", **config}
    return zoo.build("acsnet", config, in_channels=3, class_count=2)  # type: ignore[return-value]


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


def test_the_released_layout_has_the_released_counts():  # P4
    with_fc, without = describe(load_recipe("acsnet/parity")), describe(load_recipe("acsnet"))
    assert with_fc.params == 32_337_945
    assert without.params == without.trainable_params == with_fc.trainable_params == 31_824_945
    assert without.gmacs == pytest.approx(23.7, rel=0.02)
    printed = {
        row.mean for row in published_for({"paper": "acsnet", "method": "ACSNet"}) if row.metric == "parameters"
    }
    assert printed == {42.99}  # not reached, and not claimed: docs/explanation/papers.md


def test_the_parts_have_the_released_sizes():
    with torch.device("meta"):
        model = zoo.build("acsnet", {}, in_channels=3, class_count=2)

    def millions(part: nn.Module) -> float:
        return sum(parameter.numel() for parameter in part.parameters()) / 1e6

    attention = [stage.attention for stage in model.decoder.stages]
    assert [part is None for part in attention] == [False, False, True, True]
    assert millions(model.decoder.gates) == pytest.approx(3.57, abs=0.005)
    assert sum(millions(part) for part in attention if part is not None) == pytest.approx(9.41, abs=0.005)
    assert millions(model.class_head.attention) == pytest.approx(0.11, abs=0.005)
    assert millions(model.class_head.layers) == pytest.approx(0.82, abs=0.005)
    assert model.decoder.channels == (512, 256, 128, 128)


@pytest.mark.parametrize(("name", "switches"), VARIANTS.items())
def test_every_variant_trains(name: str, switches: tuple):
    task, attention, gate, deformable, scales = switches
    small = ["model.config.backbone=test_efficientnet"]
    full = load_recipe(name)
    if task != "cls":
        small += ["losses.1.weights=random", "losses.1.layers=1"]
    recipe = load_recipe(name, overrides=small)
    assert describe(recipe).task == task
    model = zoo.build("acsnet", recipe.model.config, in_channels=3, class_count=2)
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))(model(batch().image), batch()).total
    loss.backward()
    assert loss.isfinite()
    parts = [type(part) for part in model.modules()]
    found = (ChannelAttention in parts, GateUnit in parts, DeformableSpatialAttention in parts, model.multi_scale)
    assert found == (attention, gate, deformable, scales)
    assert {p is not None and bool(p.abs().max() >= 0) for p in (q.grad for q in model.parameters())} == {True}
    assert full.published_as["paper"] == "acsnet"


def test_no_variant_is_left_out():
    methods = {row.method for row in published_for({"paper": "acsnet"}) if row.table == "Table 2"}
    assert {load_recipe(name).published_as["method"] for name in VARIANTS} == methods
    others = {f"acsnet/{name}" for name in ("uncertainty", "plain-deformable", "se", "parity")}
    others |= {"acsnet/paper", "acsnet/released"}
    assert {name for name in recipe_ids(ablations=True) if name.split("/")[0] == "acsnet"} == set(VARIANTS) | others


@pytest.mark.parametrize(("scales", "width"), [(True, 1280), (False, 512)])
def test_the_class_head_reads_one_scale_or_three(scales: bool, width: int):
    with torch.device("meta"):
        model = zoo.build("acsnet", {"multi_scale": scales}, in_channels=3, class_count=2)
    assert [
        (layer.in_features, layer.out_features) for layer in model.class_head.layers if hasattr(layer, "weight")
    ] == [
        (width, width // 2),
        (width // 2, 2),
    ]


def test_the_class_head_means_over_scales_at_the_size_of_stage_4():
    model = build(ca=False).eval()
    with torch.no_grad():
        features = model.encoder(batch().image)
        stage4, stage5, stage6 = *features[-2:], model.decoder(features)[0]
        assert stage4.shape[2:] == stage6.shape[2:] == (4, 4)
        raised = F.interpolate(stage5, scale_factor=2, mode="bilinear", align_corners=True)
        pooled = torch.cat([maps.flatten(2).mean(dim=2) for maps in (stage4, raised, stage6)], dim=1)
        torch.testing.assert_close(model(batch().image).class_logits, model.class_head.layers(pooled))


def test_each_scale_is_weighed_at_its_own_size_before_it_is_resized():
    """As in the released code; a NumPy form of both orders tells them apart."""
    model = build().double().eval()
    torch.manual_seed(1)
    scales = [torch.randn(2, width, side, side, dtype=torch.float64) for width, side in _widths_and_sides(model)]
    head = model.class_head
    with torch.no_grad():
        logits = head(scales).numpy()
        pooled = [
            _aligned_mean(_weighed(attention, scale.numpy()), side=scales[0].shape[-1])
            for attention, scale in zip(head.attention, scales, strict=True)
        ]
        first, _, last = head.layers
        hidden = np.maximum(np.concatenate(pooled, axis=1) @ first.weight.numpy().T + first.bias.numpy(), 0)
        expected = hidden @ last.weight.numpy().T + last.bias.numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-10)


def _widths_and_sides(model: AcsNet) -> list[tuple[int, int]]:
    """Of stages 4, 5 and 6, the coarsest of half the size."""
    widths = [attention.mlp[2].out_features for attention in model.class_head.attention]
    return list(zip(widths, (6, 3, 6), strict=True))


def _weighed(attention: ChannelAttention, maps: np.ndarray) -> np.ndarray:
    """`B C h w` times the sigmoid of two linear layers over channel means and maxima, negative values cut."""
    pooled = np.concatenate([maps.mean(axis=(2, 3)), maps.max(axis=(2, 3))], axis=1)
    first, _, last = attention.mlp
    hidden = np.maximum(pooled @ first.weight.numpy().T + first.bias.numpy(), 0)
    logits = hidden @ last.weight.numpy().T + last.bias.numpy()
    return np.maximum(maps / (1 + np.exp(-logits))[:, :, None, None], 0)


def _aligned_mean(maps: np.ndarray, *, side: int) -> np.ndarray:
    """The mean `B C` over the maps enlarged bilinearly to `side`, corner pixels on corner pixels."""
    places = np.linspace(0, maps.shape[-1] - 1, side)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(maps.shape[-1])))
    return np.einsum("yi,bcij,xj->bcyx", weights, maps, weights).mean(axis=(2, 3))


def test_the_form_of_the_paper_has_plain_parts():
    with torch.device("meta"):
        recipe = load_recipe("acsnet/paper")
        model = zoo.build("acsnet", recipe.model.config, in_channels=3, class_count=2)
    assert model.encoder.channels == (32, 64, 128, 256, 512)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    gates = list(model.decoder.gates)
    assert [type(gate) for gate in gates] == [GateUnit] * 4 + [nn.Identity]
    assert [len(gate.look) for gate in gates[:4]] == [1] * 4
    assert {attention.kind for attention in model.class_head.attention} == {"se"}
    with pytest.raises(InputError, match="no weights of the backbone 'unet'"):
        zoo.build("acsnet", recipe.model.config, in_channels=3, class_count=2, encoder_weights="imagenet")


def test_the_released_form_is_trained_as_by_its_script():
    recipe, data = load_recipe("acsnet/released"), load_recipe("acsnet/released").data
    assert recipe.weighting.name == "positive_uncertainty"
    assert [(loss.name, loss.options) for loss in recipe.losses] == [
        ("dice", {"smooth": 1e-5}),
        ("class_cross_entropy", {}),
    ]
    assert (recipe.training.batch_size, recipe.training.epochs, data.multi_mask) == (8, 90, "drop")


@pytest.mark.parametrize(
    ("setting", "batch", "epochs", "mean", "std", "masks"),
    [("acsnet-busi-630", 16, 100, 0.33, 0.204, "drop"), ("acsnet-udiat", 4, 90, 0.248, 0.151, "union")],
)
def test_competitors_are_trained_with_the_papers_settings_of_each_data_set(
    setting: str, batch: int, epochs: int, mean: float, std: float, masks: str
):
    for name in ("acsnet", "acsnet/cu-gnet", "chen_2018/resnet18", "transunet"):
        recipe = load_recipe(f"{name}@{setting}")
        assert (recipe.training.batch_size, recipe.training.epochs, recipe.protocol) == (batch, epochs, "acsnet")
        assert (set(recipe.data.mean), set(recipe.data.std), recipe.data.multi_mask) == ({mean}, {std}, masks)


def test_a_gate_lies_between_zero_and_two_and_multiplies_the_image():
    torch.manual_seed(0)
    unit = GateUnit(32)
    features = torch.randn(5, 32, 9, 7)
    for spread in (0.1, 1.0, 30.0):
        with torch.no_grad():
            unit.look[-1].weight.normal_(0, spread)
            gate = unit.gate(features)
            maps = unit.look(features).sigmoid()
        assert gate.shape == (5, 1, 1, 1)
        assert (gate > 0).all()
        assert (gate < 2).all() or spread > 1  # rounded to the limit where the sigmoid saturates
        expected = [case[0].mean() + case[1].max() for case in maps]
        torch.testing.assert_close(gate.flatten(), torch.stack(expected))
        torch.testing.assert_close(unit(features), unit.out(gate * features))


@pytest.mark.parametrize(("bias", "limit"), [((-1e4, -1e4), 0.0), ((1e4, -1e4), 1.0), ((1e4, 1e4), 2.0)])
def test_a_shut_branch_of_a_gate_contributes_nothing(bias: tuple[float, float], limit: float):
    unit = GateUnit(16)
    features = torch.randn(2, 16, 8, 8)
    with torch.no_grad():
        unit.look[-1].bias.copy_(torch.tensor(bias))
        assert unit.gate(features).flatten().tolist() == [limit, limit]
        torch.testing.assert_close(unit(features), unit.out(limit * features))


def test_without_gates_skips_are_passed_as_they_are():
    assert all(isinstance(gate, nn.Identity) for gate in build(gate=False).decoder.gates)
    kinds = [isinstance(gate, GateUnit) for gate in build(gate_on_bottleneck=False).decoder.gates]
    assert kinds == [True, True, True, True, False]


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_attention_starts_as_plain_convolutions(modulated: bool):
    torch.manual_seed(0)
    module = DeformableSpatialAttention(16, modulated=modulated)
    features = torch.randn(2, 16, 8, 10)
    strength = 0.5 if modulated else 1.0

    def plain(block: nn.Module, maps: Tensor) -> Tensor:
        conv, norm, _ = block
        return norm(strength * F.conv2d(maps, conv.weight, padding=1)).relu()

    bent = plain(module.first, features)
    mean = torch.sigmoid(module.from_mean(bent.mean(dim=1, keepdim=True)))
    maximum = torch.sigmoid(module.from_max(bent.max(dim=1, keepdim=True).values))
    wanted = plain(module.last, torch.cat([mean * bent, maximum * bent], dim=1))
    torch.testing.assert_close(module(features), wanted)


def test_channel_attention_is_not_negative_and_reads_mean_and_maximum():
    torch.manual_seed(0)
    features = torch.randn(3, 32, 6, 5)
    code, se = ChannelAttention(32, kind="code"), ChannelAttention(32, kind="se")
    assert (code(features) >= 0).all()
    torch.testing.assert_close(code(features), code(features).relu())
    scale = se.mlp(features.flatten(2).mean(dim=2)).sigmoid()
    torch.testing.assert_close(se(features), features * scale[:, :, None, None])
    pooled = torch.cat([features.flatten(2).mean(dim=2), features.flatten(2).max(dim=2).values], dim=1)
    wanted = (features * code.mlp(pooled).sigmoid()[:, :, None, None]).relu()
    torch.testing.assert_close(code(features), wanted)


def test_corner_pixels_stay_corner_pixels():
    maps = torch.randn(1, 2, 4, 5)
    raised = resize_aligned(maps, torch.empty(1, 1, 8, 10))
    for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        torch.testing.assert_close(raised[..., y, x], maps[..., y, x])


@pytest.mark.parametrize("backbone", ["resnet18", "resnet50", "mobilenetv2_100", "efficientnet_b0", "convnext_tiny"])
def test_every_family_of_backbones_fits(backbone: str):
    with torch.device("meta"):
        model = zoo.build("acsnet", {"backbone": backbone}, in_channels=1, class_count=3)
        output = model(torch.empty(2, 1, 97, 64))
    assert output.mask_logits.shape == (2, 1, 97, 64)
    assert output.class_logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"segmentation": False, "classification": False}, "cannot both be false"),
        ({"segmentation": False}, "without segmentation gate and multi_scale must be false too"),
        ({"classification": False}, "without classification ca and multi_scale must be false too"),
        ({"dsa_stages": [6, 6]}, "dsa_stages must be different stages from 6 on"),
        ({"dsa_stages": [5]}, "dsa_stages must be different stages from 6 on"),
        ({"dsa_stages": [10]}, "the decoder has the stages 6 to 9"),
        ({"ca_kind": "cbam"}, "code, se"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)


def test_the_unused_layer_is_declared():
    assert not build(keep_unused_fc=True).unused_fc.weight.requires_grad
    assert SPEC.without_gradient(Config(keep_unused_fc=True)) == ("unused_fc.",)
    assert SPEC.without_gradient(Config()) == ()


def test_the_published_and_the_clean_protocol_differ_in_the_choice_of_the_epoch_only():
    published, clean = load_protocol("acsnet"), load_protocol("acsnet-clean")
    assert (published.validation, clean.validation, clean.validation_fraction) == ("test", "inner", 0.1)
    for field in ("folds", "group_by", "stratify", "per_source", "seed", "resolution", "empty_masks", "hd95"):
        assert getattr(published, field) == getattr(clean, field)
