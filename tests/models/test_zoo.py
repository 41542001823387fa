from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.core.recipe import load_recipe
from bustle.models import zoo


def test_the_folders_are_the_registry():
    assert "rmtl_net" in zoo.ids()
    assert all(zoo.get(model_id).id == model_id for model_id in zoo.ids())


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(InputError, match="unknown model 'rmtlnet'; did you mean rmtl_net"):
        zoo.get("rmtlnet")
    with pytest.raises(InputError, match=r"unknown key 'backbon' in model\.config; did you mean backbone"):
        zoo.build("rmtl_net", {"backbon": "resnet18"}, in_channels=3, class_count=2)


def test_a_recipe_s_network_is_resolved_with_all_that_follows_from_its_settings():
    overrides = ["model.config.backbone=test_resnet", "model.config.lesion_classes=[cyst, cancer]", "data.channels=1"]
    recipe = load_recipe("qu_2019", overrides=[*overrides, "data.mean=[0]", "data.std=[1]", "model.refinements=2"])
    resolved = zoo.resolve(recipe)
    assert (resolved.spec, resolved.config.lesion_classes) == (zoo.get("qu_2019"), ("cyst", "cancer"))
    assert resolved.mask_meaning == MaskMeaning(("background", "cyst", "cancer"), "softmax", (1, 2))
    assert (resolved.classes, resolved.encoder_weights, resolved.refinements) == (recipe.data.classes, "imagenet", 2)
    first = next(resolved.build().parameters())  # the filters of the encoder's stem
    assert first.shape[1] == resolved.in_channels == 1


def test_what_a_network_has_not_is_refused_when_it_is_resolved():
    with pytest.raises(InputError, match="unknown model 'rmtlnet'; did you mean rmtl_net"):
        zoo.resolve(load_recipe("rmtl_net", overrides=["model.id=rmtlnet"]))
    with pytest.raises(InputError, match=r"unknown key 'backbon' in model\.config; did you mean backbone"):
        zoo.resolve(load_recipe("rmtl_net", overrides=["model.config.backbon=resnet18"]))


def test_encoder_weights_that_nobody_has_published_are_refused():
    without = [model_id for model_id in zoo.ids() if not zoo.get(model_id).takes_encoder_weights]
    assert {"unet", "cms_vnet", "unext", "nnunet_like"} <= set(without)
    for model_id in without:
        with pytest.raises(InputError, match=f"{model_id} has no published encoder weights; set model"):
            zoo.build(model_id, {}, in_channels=1, class_count=2, encoder_weights="imagenet")
