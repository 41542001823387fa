"""What is particular to LA-Net: published layout, switches and the mask attention (sections 3.1 and 5.3)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import Recipe, load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.losses.build import build_loss
from bustle.losses.setting import LossSetting
from bustle.models import zoo
from bustle.models.papers.la_net import LESION, SPEC, Config, LaNet, guided, map_meanings
from bustle.training.selection import Selection
from bustle.training.stages import stages_of
from bustle.training.validation import ValidationScores

ABLATIONS = ("la_net", "la_net/no-cam", "la_net/no-sam", "la_net/no-mam")
SMALL = ["model.config.backbone=test_resnet", "model.encoder_weights=null"]


def build(*overrides: str, name: str = "la_net", seed: int = 0) -> LaNet:
    recipe = load_recipe(name, overrides=[*SMALL, *overrides])
    torch.manual_seed(seed)
    model = zoo.build("la_net", recipe.model.config, in_channels=3, class_count=2)
    assert isinstance(model, LaNet)
    return model


def image(batch: int = 2, *size: int) -> Tensor:
    return torch.randn(batch, 3, *(size or (64, 64)), generator=torch.Generator().manual_seed(0))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("name", "sam_kind", "head", "total"),
    [
        ("la_net/resnet18", "cbam7x7", 53_623, 11_231_161),
        ("la_net/resnet18", "stack3x3", 56_527, 11_234_065),
        ("la_net", "cbam7x7", 735_403, 24_247_533),
        ("la_net/stack3x3", "stack3x3", 738_307, 24_250_437),
    ],
)
def test_parameter_counts(name: str, sam_kind: str, head: int, total: int):  # P5
    recipe = load_recipe(name, overrides=[f"model.config.sam_kind={sam_kind}"])
    with torch.device("meta"):
        model = zoo.build("la_net", recipe.model.config, in_channels=3, class_count=2)
    assert count(model.get_submodule("lesion_aware")) == head
    assert count(model) == total


@pytest.mark.parametrize(
    ("backbone", "widths"), [("resnet18", (64, 128, 256, 512)), ("resnet50", (256, 512, 1024, 2048))]
)
@pytest.mark.parametrize("edge", [256, 512])
def test_the_four_taps_and_the_size_of_the_map(backbone: str, widths: tuple[int, ...], edge: int):
    with torch.device("meta"):
        model = zoo.build("la_net", {"backbone": backbone}, in_channels=3, class_count=2)
        output = model(torch.empty(1, 3, edge, edge))
    squeezing = [tap[-1] for tap in model.get_submodule("lesion_aware").taps]
    assert tuple(layer.in_channels for layer in squeezing) == widths
    assert output.aux_masks["location"].shape == (1, 1, edge // 32, edge // 32)
    assert output.mask_logits.shape == (1, 1, edge, edge)


@pytest.mark.parametrize("backbone", ["convnext_atto", "efficientnet_b0", "mobilenetv2_100"])
def test_any_pyramid_will_do(backbone: str):
    with torch.device("meta"):
        model = zoo.build("la_net", {"backbone": backbone}, in_channels=1, class_count=3)
        output = model(torch.empty(2, 1, 97, 64))
    assert output.mask_logits.shape == (2, 1, 97, 64)
    assert output.class_logits.shape == (2, 3)
    assert len(model.get_submodule("lesion_aware").taps) == 4


def test_the_mask_is_the_papers_rule():
    """Probability enlarged with aligned corners, lesion above 0.5."""
    model = build().eval()
    with torch.no_grad():
        output = model(image(3, 50, 97))
    probability = F.interpolate(
        output.aux_masks["location"].sigmoid(), size=(50, 97), mode="bilinear", align_corners=True
    )
    assert probability.std() > 0.001
    torch.testing.assert_close(output.mask_logits.sigmoid(), probability)
    assert torch.equal(output.mask_logits > 0, probability > 0.5)


@pytest.mark.parametrize("certain", [-200.0, 200.0])
def test_a_certain_map_gives_finite_logits(certain: float):
    model = build().eval()
    set_location(model, certain)
    with torch.no_grad():
        logits = model(image()).mask_logits
    assert torch.isfinite(logits).all()
    assert ((logits > 0) == (certain > 0)).all()


def set_location(model: LaNet, logit: float) -> None:
    norm = model.lesion_aware.fuse[1]
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.weight.zero_()
        norm.bias.fill_(logit)


def test_mask_attention_without_a_lesion_is_the_identity_and_with_one_doubles():
    features = torch.randn(2, 5, 3, 3)
    assert torch.equal(guided(features, torch.zeros(2, 1, 3, 3)), features)
    assert torch.equal(guided(features, torch.ones(2, 1, 3, 3)), 2 * features)
    half = torch.zeros(2, 1, 3, 3)
    half[..., 0] = 1
    assert torch.equal(guided(features, half)[..., 0], 2 * features[..., 0])
    assert torch.equal(guided(features, half)[..., 1:], features[..., 1:])


def test_the_classifier_sees_the_guided_features():
    plain, attended = build(name="la_net/no-mam").eval(), build().eval()
    attended.load_state_dict(plain.state_dict())
    with torch.no_grad():
        reference = plain(image()).class_logits
        set_location(attended, -200)
        torch.testing.assert_close(attended(image()).class_logits, reference)
        set_location(attended, 200)
        bias = plain.class_head.bias
        torch.testing.assert_close(attended(image()).class_logits - bias, 2 * (reference - bias))


def test_without_attention_a_tap_is_a_plain_convolution():
    model = build("model.config.cam=false", "model.config.sam=false").eval()
    features = model.encoder(image())[-4:]
    squeezed = []
    for tap, feature in zip(model.lesion_aware.taps, features, strict=True):
        assert isinstance(tap, nn.Sequential)
        (convolution,) = tap
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.kernel_size == (3, 3)
        small = F.conv2d(feature, convolution.weight, convolution.bias, padding=1)
        squeezed.append(F.interpolate(small, size=(2, 2), mode="bilinear", align_corners=True))
    fused = model.lesion_aware.fuse(torch.cat(squeezed, dim=1))
    torch.testing.assert_close(model(image()).aux_masks["location"], fused)


def test_channels_are_attended_before_places():
    tap = build().lesion_aware.taps[0]
    assert [type(layer).__name__ for layer in tap] == ["ChannelAttention", "SpatialAttention", "Conv2d"]
    names = {
        name: [type(layer).__name__ for layer in build(name=name).lesion_aware.taps[0]] for name in ABLATIONS[1:3]
    }
    assert names == {
        "la_net/no-cam": ["SpatialAttention", "Conv2d"],
        "la_net/no-sam": ["ChannelAttention", "Conv2d"],
    }


def test_the_lesion_aware_part_starts_as_xavier_says():
    model = build("model.config.backbone=resnet18")
    for layer in model.lesion_aware.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            inside = math.prod(layer.weight.shape[2:])
            bound = math.sqrt(6 / ((layer.weight.shape[0] + layer.weight.shape[1]) * inside))
            assert layer.weight.abs().max() <= bound
            assert layer.weight.detach().std().item() == pytest.approx(bound / math.sqrt(3), rel=0.35)
            assert layer.bias is None or not layer.bias.any()


def batch() -> Batch:
    lesion = torch.zeros(4, 64, 64, dtype=torch.int64)
    lesion[:, 20:40, 16:44] = 1
    yes = torch.ones(4, dtype=torch.bool)
    return Batch(
        case_ids=["a", "b", "c", "d"],
        image=image(4),
        lesion_mask=lesion,
        gland_mask=torch.zeros(4, 64, 64),
        label=torch.tensor([0, 1, 0, 1]),
        has_mask=yes,
        has_gland=~yes,
        has_box=~yes,
        has_label=yes,
    )


def step(recipe: Recipe, model: nn.Module) -> float:
    config = from_mapping(Config, recipe.model.config, where="model.config")
    setting = LossSetting(mask_meaning=LESION, map_meanings=map_meanings(config))
    total = build_loss(recipe, setting=setting)(model(batch().image), batch()).total
    total.backward()
    return total.item()


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_trains(name: str):
    recipe, model = load_recipe(name, overrides=SMALL), build(name=name)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    before = {key: value.clone() for key, value in model.named_parameters()}
    assert 0 < step(recipe, model) < 3
    optimizer.step()
    watched = ("encoder.body.conv1.0.weight", "lesion_aware.taps.0", "lesion_aware.fuse", "class_head")
    for prefix in watched:
        assert any(
            not torch.equal(before[key], value) for key, value in model.named_parameters() if key.startswith(prefix)
        )


@pytest.mark.parametrize(("name", "reached"), [("la_net", True), ("la_net/no-mam", False)])
def test_the_class_loss_teaches_the_lesion_map_through_the_mask_attention_alone(name: str, reached: bool):
    model = build(name=name)
    step(load_recipe(name, overrides=[*SMALL, "losses.0.weight=1", "losses.1.weight=0"]), model)
    assert (model.lesion_aware.fuse[0].weight.grad.abs().max() > 0) == reached


def test_the_location_loss_leaves_the_class_head_alone():
    model = build()
    step(load_recipe("la_net", overrides=[*SMALL, "losses.0.weight=0", "losses.1.weight=1"]), model)
    assert model.class_head.weight.grad.abs().max() == 0
    assert model.get_parameter("encoder.body.conv1.0.weight").grad.abs().max() > 0


def test_all_shipped_variants_are_known_here():
    ratios = {f"la_net/located-{share}{off}" for share in (25, 50, 75) for off in ("", "-s-ssl-off")}
    others = {"resnet18", "stack3x3", "s-ssl-off", "size-512", "gate-argmax", "hand-over-lesion-aware", "box"}
    others |= {"monitor-both", "no-pseudo", "resnet18-size-512"}
    shipped = {name for name in recipe_ids(ablations=True) if name.startswith("la_net/")}
    assert shipped == set(ABLATIONS[1:]) | ratios | {f"la_net/{name}" for name in others}


@pytest.mark.parametrize("share", [25, 50, 75])
def test_label_ratios_come_with_and_without_semi_supervision(share: int):
    on, off = load_recipe(f"la_net/located-{share}"), load_recipe(f"la_net/located-{share}-s-ssl-off")
    assert on.data.located_fraction == off.data.located_fraction == share / 100
    assert [stage.cases for stage in on.stages] == ["located", "all"]
    assert [stage.cases for stage in off.stages] == ["located", "located"]
    base = load_recipe("la_net")
    assert replace(on, id="", title="", published_as={}, data=base.data) == replace(
        base, id="", title="", published_as={}
    )


def test_accuracy_alone_keeps_an_epoch_that_lost_the_outline_and_both_do_not():
    curve = [(0.50, 0.80), (0.54, 0.86), (0.10, 0.88)]  # Dice and accuracy of three epochs
    chosen = {}
    for name in ("la_net", "la_net/monitor-both"):
        selection = Selection(load_recipe(name).training.monitor, patience=None)
        for dice, accuracy in curve:
            selection.offer(ValidationScores(loss=1.0, dice=dice, auc=None, accuracy=accuracy, clear=None))
        chosen[name] = selection.best_epoch
    assert chosen == {"la_net": 3, "la_net/monitor-both": 2}


def test_both_networks_are_handed_over_or_the_lesion_aware_part_alone():
    taken = {name: load_recipe(name).stages[1].takes for name in ("la_net", "la_net/hand-over-lesion-aware")}
    assert taken == {"la_net": None, "la_net/hand-over-lesion-aware": ("lesion_aware",)}
    assert load_recipe("la_net").stages[0].takes is None


@pytest.mark.parametrize("name", ["la_net/no-pseudo", "la_net_cpu/located-25-no-pseudo"])
def test_the_control_differs_in_its_pseudo_masks_alone(name: str):
    base = load_recipe({"la_net/no-pseudo": "la_net"}.get(name, "la_net_cpu/located-25"))
    control = load_recipe(name)
    assert [stage.cases for stage in control.stages] == ["located", "all"]
    last = [stages_of(recipe, folder=Path())[-1].recipe for recipe in (base, control)]
    assert [recipe.training.step.name for recipe in last] == ["semi_supervised", "joint"]
    joint = replace(last[0], training=replace(last[0].training, step=last[1].training.step))
    assert replace(joint, id="", title="", published_as={}) == replace(last[1], id="", title="", published_as={})


def test_the_published_values_of_the_ablations_are_found():
    found = {}
    for name in ABLATIONS:
        rows = published_for(load_recipe(name).published_as)
        found[name] = {row.dataset: row.mean for row in rows if row.metric == "IoU"}
    assert found == {
        "la_net": {"BUSI": 0.438, "MBUD": 0.406},
        "la_net/no-cam": {"BUSI": 0.411, "MBUD": 0.341},
        "la_net/no-sam": {"BUSI": 0.413, "MBUD": 0.358},
        "la_net/no-mam": {"BUSI": 0.419, "MBUD": 0.384},
    }


def test_the_supervised_comparison_makes_as_many_updates():
    """A quarter of the cases, four times the epochs."""
    semi, supervised = load_recipe("la_net_cpu/located-25"), load_recipe("la_net_cpu/located-25-supervised")
    assert semi.data == supervised.data
    assert supervised.stages[1].set["training.epochs"] * 0.25 == semi.training.epochs


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"channel_reduction": 0}, "channel_reduction must be at least 1"),
        ({"sam_kind": "5x5"}, "cbam7x7, stack3x3"),
        ({"mas": True}, "unknown key 'mas' in model.config"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("la_net", {"backbone": "test_resnet", **config}, in_channels=3, class_count=2)


def test_the_map_is_declared():
    assert SPEC.map_meanings(Config()) == {"location": LESION}
