from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bustle.core import recipe as recipes
from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.recipe import (
    load_protocol,
    load_recipe,
    protocol_ids,
    protocol_of,
    recipe_ids,
    save_recipe,
)


def test_the_shipped_recipe_holds_the_papers_settings():
    recipe = load_recipe("rmtl_net")  # sections II and III of its paper
    assert recipe.data.size == (256, 256)
    assert recipe.optimizer == Component("adam", {"lr": 1e-4, "betas": [0.9, 0.99], "weight_decay": 1e-4})
    assert (recipe.training.epochs, recipe.training.batch_size) == (100, 16)
    assert [loss.options["weight"] for loss in recipe.losses] == [0.9, 0.1]


@pytest.mark.parametrize("name", recipe_ids(ablations=True))
def test_every_shipped_recipe_survives_a_round_trip_through_its_file(name: str, tmp_path: Path):
    recipe = load_recipe(name)
    assert recipe.id == name
    assert recipe.protocol in protocol_ids()
    save_recipe(recipe, tmp_path / "recipe.yaml")
    assert load_recipe(str(tmp_path / "recipe.yaml")) == recipe


def test_overrides_are_checked_like_the_file():
    recipe = load_recipe("rmtl_net", overrides=["training.epochs=2", "optimizer.lr=1e-3", "training.patience=4"])
    assert (recipe.training.epochs, recipe.training.patience) == (2, 4)
    with pytest.raises(InputError, match=r"unknown key 'epoch' in recipe\.training; did you mean epochs"):
        load_recipe("rmtl_net", overrides=["training.epoch=2"])
    with pytest.raises(InputError, match="unknown key 'trainig' in recipe; did you mean training"):
        load_recipe("rmtl_net", overrides=["trainig.epochs=2"])
    with pytest.raises(InputError, match="must be one of score, dice, auc, accuracy, clear, loss"):
        load_recipe("rmtl_net", overrides=["training.monitor=dise"])
    with pytest.raises(InputError, match="must give positive weights"):
        load_recipe("rmtl_net", overrides=["training.monitor={dice: -1}"])
    with pytest.raises(InputError, match=r"recipe\.training\.monitor\.dice is nan; it must be a finite number"):
        load_recipe("rmtl_net", overrides=["training.monitor={dice: .nan}"])


def test_an_ablation_is_its_base_plus_few_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    base = load_recipe("rmtl_net")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "ablations" / "rmtl_net").mkdir(parents=True)
    save_recipe(base, tmp_path / "recipes" / "rmtl_net.yaml")
    ablation = {
        "base": "rmtl_net",
        "title": "Two regions",
        "set": {"model.config.regions": ["tumour", "background"], "losses.0.weight": 1e-5},
        "published_as": {"paper": "rmtl_net", "method": "MTL-Net+T+B"},
    }
    file = tmp_path / "ablations" / "rmtl_net" / "mtl-net+t+b.yaml"
    file.write_text(yaml.safe_dump(ablation))
    monkeypatch.setattr(recipes, "CONFIGS", tmp_path)

    variant = load_recipe("rmtl_net/mtl-net+t+b")
    assert variant.id == "rmtl_net/mtl-net+t+b"
    assert variant.title == "Two regions"
    assert variant.model.config["regions"] == ["tumour", "background"]
    assert variant.losses[0].options["weight"] == 1e-5
    assert variant.published_as["method"] == "MTL-Net+T+B"
    assert (
        replace(
            variant,
            id=base.id,
            title=base.title,
            model=base.model,
            losses=base.losses,
            published_as=base.published_as,
        )
        == base
    )

    file.write_text(yaml.safe_dump(ablation | {"sett": {}}))
    with pytest.raises(InputError, match=r"unknown key 'sett' in ablation rmtl_net/mtl-net\+t\+b; did you mean set"):
        load_recipe("rmtl_net/mtl-net+t+b")


def test_an_unknown_recipe_lists_the_nearest():
    with pytest.raises(InputError, match="unknown recipe 'rmtl-net'; did you mean rmtl_net"):
        load_recipe("rmtl-net")


def test_a_recipe_file_that_is_absent_broken_or_wrong_is_named(tmp_path: Path):
    file = tmp_path / "own.yaml"
    with pytest.raises(InputError, match="no such file") as caught:
        load_recipe(str(file))
    assert caught.value.path == file
    file.write_text("a: [")
    with pytest.raises(InputError, match="not readable YAML") as caught:
        load_recipe(str(file))
    assert "\n" not in str(caught.value)
    file.write_text("- a\n- b\n")
    with pytest.raises(InputError, match="holds no mapping"):
        load_recipe(str(file))
    save_recipe(load_recipe("rmtl_net"), file)
    file.write_text(file.read_text() + "colour: red\n")
    with pytest.raises(InputError, match="unknown key 'colour' in recipe") as caught:
        load_recipe(str(file))
    assert caught.value.path == file


def test_yaml_tags_that_run_code_are_refused(tmp_path: Path):
    file = tmp_path / "evil.yaml"
    file.write_text("id: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match="not readable YAML"):
        load_recipe(str(file))


def test_protocols():
    assert set(protocol_ids()) >= {"strict", "rmtl", "lanet", "acsnet", "abus", "ctg"}
    for name in protocol_ids():
        assert load_protocol(name).id == name
    assert protocol_of("strict", "rmtl").id == "strict"
    assert protocol_of("published", "rmtl").id == "rmtl"
    with pytest.raises(InputError, match="unknown protocol 'rmlt'; did you mean rmtl"):
        load_protocol("rmlt")


def test_published_protocols_lead_with_what_their_papers_print():
    distances = {name: load_protocol(name).hd95 for name in ("rmtl", "lanet", "acsnet", "abus", "ctg")}
    assert [name for name, distance in distances.items() if distance == "hd95_pooled"] == ["acsnet"]
    assert load_protocol("ctg").empty_masks == "lesions_only"
    assert load_protocol("lanet").test_located


def test_the_strict_protocol_keeps_its_promises():
    strict = load_protocol("strict")
    assert strict.group_by == "leak_group"
    assert strict.validation == "inner"
    assert strict.exclude_conflicts
    assert strict.positive_class == "malignant"
    assert strict.resolution == "native"
    assert strict.empty_masks == "strict"


def test_a_recipe_that_is_a_pipe_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "recipe.yaml")
    with pytest.raises(InputError, match=r"recipe\.yaml: cannot be read \(it is a named pipe, not a file\)"):
        load_recipe(str(tmp_path / "recipe.yaml"))


def test_a_section_that_stands_twice_is_refused(tmp_path: Path):
    (tmp_path / "recipe.yaml").write_text("id: a\ntraining: {epochs: 2}\ntraining: {epochs: 3}\n")
    with pytest.raises(InputError, match=r"recipe\.yaml: .*\('training' stands there twice, line 3"):
        load_recipe(str(tmp_path / "recipe.yaml"))


@pytest.mark.parametrize("key", ["model.config.backbone_options", "training.stages"])
def test_aliases_in_an_override_are_limited(key: str):
    levels = ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11))
    with pytest.raises(InputError, match="is not YAML"):
        load_recipe("unet", overrides=[f"{key}=[&a0 [x], {levels}]"])
