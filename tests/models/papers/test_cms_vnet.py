"""What is particular to C_MS-VNet: shapes, counts, the multi-scale head, and its variants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_protocol, load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.losses.build import build_loss
from bustle.losses.setting import LossSetting
from bustle.models import zoo
from bustle.models.description import describe
from bustle.models.papers.cms_vnet import SPEC, Config, MultiScaleHead, unit_features
from bustle.models.refinement import refined

SHAPES = [
    (16, 128, 64, 128),
    (32, 64, 32, 64),
    (64, 32, 16, 32),
    (128, 16, 8, 16),
    (256, 8, 4, 8),
    (256, 16, 8, 16),
    (128, 32, 16, 32),
    (64, 64, 32, 64),
    (32, 128, 64, 128),
]
VARIANTS = {  # Tables 2 to 5: task, stages, refinements
    "vnet": ("seg", None, 0),
    "clsnet": ("cls", [5, 5], 0),
    "cvnet": ("joint", [5, 5], 0),
    "cvnet-iter": ("joint", [5, 5], 2),
    "c-msvnet": ("joint", [4, 6], 0),
    "": ("joint", [4, 6], 2),
}
LENGTHS = {(4, 6): 640, (5, 5): 256, (3, 7): 832, (2, 8): 928, (1, 9): 976}


def build(config: Config, *, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SPEC.build(config, in_channels=1, class_count=2)


def count(config: Config) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(config).parameters())


def batch() -> Batch:
    torch.manual_seed(0)
    lesion = torch.zeros(2, 32, 32, 32, dtype=torch.int64)
    lesion[:, 10:22, 8:20, 12:26] = 1
    yes, no = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    return Batch(
        case_ids=["a", "b"],
        image=torch.randn(2, 1, 32, 32, 32),
        lesion_mask=lesion,
        gland_mask=torch.zeros(2, 32, 32, 32),
        label=torch.tensor([0, 1]),
        has_mask=yes,
        has_gland=no,
        has_box=no,
        has_label=yes,
    )


def test_the_stages_and_the_outputs_have_the_published_shapes():  # S2
    with torch.device("meta"):
        network = build(Config())
        volume = torch.empty(1, 1, 128, 64, 128)
        stages, _ = network.vnet(volume)
        output = network(volume)
    assert [tuple(stage.shape[1:]) for stage in stages] == SHAPES
    assert output.mask_logits.shape == (1, 2, 128, 64, 128)
    assert output.class_logits.shape == (1, 2)


def test_the_counts_are_those_of_the_layout():
    assert count(Config(stages=None)) == 14_700_146
    assert count(Config()) == 14_782_452
    assert describe(load_recipe("cms_vnet_iter")).params == 14_782_452
    assert count(Config(stages=(5, 5))) == 14_700_146 + 256 * 128 + 128 + 128 * 2 + 2


def test_without_segmentation_there_is_no_way_up():
    with torch.device("meta"):
        network = build(Config(stages=(5, 5), segmentation=False))
        output = network(torch.empty(1, 1, 128, 64, 128))
    assert output.mask_logits is None
    assert {name.split(".")[1] for name, _ in network.vnet.named_parameters(prefix="vnet")} == {"down"}
    assert SPEC.mask_meaning(Config(stages=(5, 5), segmentation=False)) is None


def test_features_have_length_one_and_zeros_stay_zero():
    maps = torch.randn(3, 5, 4, 2, 6)
    maps[1] = 0
    found = unit_features(maps.requires_grad_())
    means = maps.detach().numpy().mean(axis=(2, 3, 4))
    expected = means[[0, 2]] / np.sqrt((means[[0, 2]] ** 2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found[[0, 2]].detach(), expected)
    assert torch.equal(found[1], torch.zeros(5))
    found.sum().backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize(("stages", "length"), LENGTHS.items())
def test_the_head_reads_the_chosen_stages(stages: tuple[int, int], length: int):
    config = Config(stages=stages)
    head = MultiScaleHead(config, stages, class_count=2)
    assert head.layers[0].weight.shape == (128, length)
    maps = [torch.randn(2, *shape[:1], 2, 2, 2) for shape in SHAPES]
    first, last = stages
    expected = torch.cat([nn.functional.normalize(m.mean(dim=(2, 3, 4))) for m in maps[first - 1 : last]], dim=1)
    torch.testing.assert_close(head.features(maps), expected)


def test_the_scale_of_each_stage_is_learned_where_it_is_asked_for():
    head = MultiScaleHead(Config(scale=10.0), (4, 6), class_count=2)
    maps = [torch.rand(2, *shape[:1], 2, 2, 2) for shape in SHAPES]
    assert head.scales is not None
    assert head.scales.tolist() == [10.0] * 3
    torch.testing.assert_close(head.features(maps)[:, :128].norm(dim=1), torch.full((2,), 10.0))
    head(maps).sum().backward()
    assert head.scales.grad is not None
    assert head.scales.grad.abs().min() > 0


@pytest.mark.parametrize("base", ["cms_vnet_iter", "cms_vnet_iter_cpu"])
@pytest.mark.parametrize(("variant", "facts"), VARIANTS.items())
def test_every_variant_learns(base: str, variant: str, facts: tuple):
    small = ["model.config.width=2", "data.size=[32, 32, 32]"]
    recipe = load_recipe(f"{base}/{variant}".rstrip("/"), overrides=small)
    task, stages, refinements = facts
    assert recipe.model.config["stages"] == stages
    assert recipe.model.refinements == refinements
    assert recipe.training.step.name == ("refinement" if refinements else "joint")
    assert describe(recipe).task == task
    torch.manual_seed(0)
    resolved = zoo.resolve(recipe)
    network = refined(resolved.build(), resolved)
    config = from_mapping(Config, recipe.model.config, where="model.config")
    setting = LossSetting(mask_meaning=SPEC.mask_meaning(config), classes=recipe.data.classes, class_counts=(51, 119))
    loss = build_loss(recipe, setting=setting)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    values = []
    for _ in range(3):
        optimizer.zero_grad()
        total = loss(network(batch().image), batch()).total
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < values[0]


def test_the_losses_are_weighted_as_printed():
    """λ = 0.3 on the classes; malignant volumes are the more frequent ones and weigh less (eq. 3)."""
    recipe = load_recipe("cms_vnet_iter")
    assert {loss.name: loss.options["weight"] for loss in recipe.losses} == {"dice": 0.7, "class_focal": 0.3}
    setting = LossSetting(
        mask_meaning=SPEC.mask_meaning(Config()), classes=recipe.data.classes, class_counts=(51, 119)
    )
    focal = build_loss(recipe, setting=setting).losses["class_focal"]
    assert focal.weights == pytest.approx((119 / 170, 51 / 170))
    assert focal.gamma == 2


def test_every_sweep_of_the_paper_is_there():
    sweeps = {f"cms_vnet/stages-{name}" for name in ("1-9", "2-8", "3-7", "4-6", "5")}
    sweeps |= {f"cms_vnet_iter/lambda-0.{digit}" for digit in (1, 3, 5, 7, 9)}
    sweeps |= {f"cms_vnet_iter/vnet-iter-{count}" for count in (1, 2, 3, 4)} | {"cms_vnet_iter/vnet"}
    assert sweeps <= set(recipe_ids(ablations=True))
    for name in sweeps:
        recipe = load_recipe(name)
        assert recipe.published_as
        assert sum(loss.options.get("weight", 1.0) for loss in recipe.losses) == pytest.approx(1)
    counts = [load_recipe(f"cms_vnet_iter/vnet-iter-{count}").model.refinements for count in (1, 2, 3, 4)]
    assert counts == [1, 2, 3, 4]


def test_the_protocol_is_the_paper_s():  # sections 4.1 and 4.2
    protocol = load_protocol(load_recipe("cms_vnet_iter").protocol)
    assert (protocol.folds, protocol.group_by, protocol.stratify, protocol.validation) == (4, "patient", True, "none")
    assert (protocol.positive_class, protocol.class_average, protocol.spread) == ("malignant", "binary", "case_sd")
    assert (protocol.resolution, protocol.hd95, protocol.empty_masks) == ("network", "hd95", "undefined")


def test_dropout_acts_in_training_alone():
    network = build(replace(SPEC.tiny, dropout=0.5))
    volume = torch.randn(2, 1, 32, 32, 32)
    with torch.no_grad():
        assert not torch.equal(network(volume).class_logits, network(volume).class_logits)
        assert torch.equal(network.eval()(volume).class_logits, network(volume).class_logits)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"stages": [6, 4]}, "the first and the last"),
        ({"stages": [1, 10]}, "some of the stages 1 to 9"),
        ({"stages": None, "segmentation": False}, "must end with 5"),
        ({"segmentation": False}, "must end with 5"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"width": 0}, "width must be"),
    ],
)
def test_impossible_settings_are_told(settings: dict, problem: str):
    with pytest.raises(InputError, match=problem):
        from_mapping(Config, settings, where="model.config")
