"""CTG-Net's recipes: the paper's settings and tables, the ablations, and what normals teach."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.network import MultiTaskOutput
from bustle.core.published import published_for
from bustle.core.recipe import Recipe, load_protocol, load_recipe, recipe_ids
from bustle.core.types import Batch
from bustle.evaluation.positive_class import positive_class
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.papers.ctg_net import Config
from bustle.training.loss_setting import loss_setting

SMALL = [
    "model.encoder_weights=null",
    "model.config.backbone=test_resnet",
    "model.config.backbone_options={}",
    "model.config.width=32",
    "model.config.decoder_channels=[24, 16, 12, 8]",
]
TERMS = ("shared", "lesion", "gland")
LAM_ABLATIONS = {
    "ctg_net/lam-f": ("shared",),
    "ctg_net/lam-f+la": ("shared", "lesion"),
    "ctg_net/lam-f+ma": ("shared", "gland"),
    "ctg_net/lam-la+ma": ("lesion", "gland"),
    "ctg_net/gland": TERMS,
}


def step(recipe: Recipe) -> float:
    torch.manual_seed(0)
    data = recipe.data
    network = zoo.build("ctg_net", recipe.model.config, in_channels=3, class_count=len(data.classes))
    lesion = torch.zeros(4, 64, 64, dtype=torch.int64)
    lesion[:3, 20:40, 16:44] = 1
    gland = torch.zeros(4, 64, 64)
    gland[:, 10:50] = 1
    yes = torch.ones(4, dtype=torch.bool)
    batch = Batch(
        case_ids=list("abcd"),
        image=torch.randn(4, 3, 64, 64),
        lesion_mask=lesion,
        gland_mask=gland,
        label=torch.tensor([0, 1, 0, len(data.classes) - 1]),
        has_mask=yes,
        has_gland=torch.tensor([True, False, True, True]),
        has_box=~yes,
        has_label=yes,
    )
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    values = loss(network(batch.image), batch)
    values.total.backward()
    optimizer.step()
    still = {name for name, p in network.named_parameters() if torch.equal(before[name], p)}
    # What stands behind a factor that starts at 0 (the attention's a, some of timm's norms) moves one step later; a
    # constant added to all class scores does not matter to a softmax.
    exempt = ("akgm.", "encoder.", "class_head.score.bias")
    assert {name for name in still if not name.startswith(exempt)} == set()
    assert "akgm.amount" not in still
    return values.total.item()


def test_the_recipe_holds_the_papers_settings():
    recipe = load_recipe("ctg_net")
    assert recipe.optimizer.options == {"lr": 1e-4, "betas": [0.9, 0.99], "eps": 1e-8}
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.patience) == (100, 16, 10)
    assert recipe.training.monitor == "loss"
    assert [loss.name for loss in recipe.losses] == ["class_cross_entropy", "coarse_dice", "dice"]
    assert (recipe.weighting.name, recipe.weighting.options) == (
        "dynamic_average",
        {"temperature": 2.0, "unit": "epoch"},
    )
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    assert list(dict.fromkeys(term.task for term in loss.losses.values())) == ["cls", "seg"]  # K = 2
    assert from_mapping(Config, recipe.model.config, where="") == Config(csm="similarity")
    dice = [loss.options for loss in recipe.losses[1:]]
    assert dice == [{"smooth": 1.0, "squared": True}, {"smooth": 1.0, "squared": True, "channels": "all"}]


@pytest.mark.parametrize("name", [name for name in recipe_ids(ablations=True) if name.startswith("ctg_net")])
def test_every_variant_trains(name: str):
    assert 0 < step(load_recipe(name, overrides=SMALL)) < 4


@pytest.mark.parametrize(("name", "terms"), LAM_ABLATIONS.items())
def test_table_7_has_its_rows(name: str, terms: tuple[str, ...]):
    recipe = load_recipe(name)
    config = from_mapping(Config, recipe.model.config, where="")
    assert config.lam_terms == terms
    assert config.gland == "given"
    printed = {"shared": "F'", "lesion": "F_la", "gland": "F_ma"}
    assert recipe.published_as["variant"] == "LAM terms=" + "+".join(printed[name] for name in terms)
    assert {row.metric for row in published_for(recipe.published_as)} == {"AUC", "Acc", "F1"}
    assert "gland mask" in recipe.deviations[0]


def test_tables_5_and_6_have_their_rows():
    switches = {
        name: (config.lam_terms, config.akgm, config.csm)
        for name in ("baseline", "akgm", "csm", "akgm+csm")
        for config in [from_mapping(Config, load_recipe(f"ctg_net/{name}").model.config, where="")]
    }
    assert switches == {
        "baseline": (("shared",), False, "none"),
        "akgm": (TERMS, True, "none"),
        "csm": (TERMS, False, "similarity"),
        "akgm+csm": (TERMS, True, "similarity"),
    }
    for name in (*switches, *LAM_ABLATIONS):
        recipe = load_recipe(name if "/" in name else f"ctg_net/{name}")
        assert recipe.data.classes == ("normal", "lesion"), "the paper's task in Tables 5 to 7"
        assert recipe.model.config["gland"] == "given"
    dice = {
        name: [row.mean for row in published_for(load_recipe(f"ctg_net/{name}").published_as) if row.metric == "DSC"]
        for name in switches
    }
    assert dice == {"baseline": [0.68], "akgm": [0.72], "csm": [0.74], "akgm+csm": [0.78]}


def test_normal_against_lesion_is_scored_with_lesion_as_positive_class():
    data = load_recipe("ctg_net/normal-vs-lesion").data
    assert data.class_groups == {"lesion": ("benign", "malignant")}
    assert positive_class(data.classes, protocol=load_protocol("ctg")) == "lesion"  # malignant is no class of its own


def test_normals_teach_the_outline_of_the_recipe_for_them_alone():
    """The gradient on a false blob in a normal image, with one lesion image beside it in the batch."""
    lesion = torch.zeros(2, 64, 64, dtype=torch.int64)
    lesion[0, 16:40, 16:40] = 1
    yes = torch.ones(2, dtype=torch.bool)
    batch = Batch(
        case_ids=["lesion", "normal"],
        image=torch.zeros(2, 3, 64, 64),
        lesion_mask=lesion,
        gland_mask=torch.zeros(2, 64, 64),
        label=torch.tensor([0, 2]),
        has_mask=yes,
        has_gland=~yes,
        has_box=~yes,
        has_label=yes,
    )
    pulls = {}
    for name in ("three-class", "normals"):
        recipe = load_recipe(f"ctg_net/{name}", overrides=SMALL)
        losses = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe))).losses
        logits = torch.zeros(2, 2, 64, 64)
        logits[:, 0] = -4
        logits[0, 0, 16:40, 16:40] = 4
        logits[1, 0, 20:30, 20:30] = 4
        logits.requires_grad_()
        output = MultiTaskOutput(mask_logits=logits, class_logits=None)
        for key in ("dice", "mask_cross_entropy"):
            if key in losses:
                (gradient,) = torch.autograd.grad(losses[key](output, batch), logits)
                pulls[name, key] = float(gradient[1, 0, 20:30, 20:30].sum())
    assert set(pulls) == {("three-class", "dice"), ("normals", "dice"), ("normals", "mask_cross_entropy")}
    per_case = pulls["three-class", "dice"]
    assert pulls["normals", "dice"] + pulls["normals", "mask_cross_entropy"] > 10 * per_case > 0
    assert pulls["normals", "dice"] > 5 * per_case, "over the batch"


def test_the_consistency_variant_is_the_three_class_one_with_one_more_loss():
    three, consistent = load_recipe("ctg_net/three-class"), load_recipe("ctg_net/consistency")
    assert consistent.losses[:-1] == three.losses
    assert consistent.losses[-1].name == "consistency"
    assert replace(consistent, id="", title="", losses=()) == replace(three, id="", title="", losses=())
