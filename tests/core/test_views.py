from __future__ import annotations

import pytest

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe, save_recipe
from bustle.core.views import Views


def test_the_sizes_of_views_are_multiples_of_32_but_for_the_input_s_own():
    views = Views(scales=(1.0, 1.4, 0.25))
    assert views.sizes((176, 224)) == ((176, 224), (256, 320), (32, 64))
    assert views.sizes((100, 33)) == ((100, 33), (128, 32), (32, 32))
    assert views.in_words() == "sizes 1 and 1.4 and 0.25"
    assert Views(mirrored=True).in_words() == "size 1, mirrored too"
    assert Views().is_single
    assert not Views(mirrored=True).is_single


def test_a_recipe_keeps_its_views_and_does_not_mention_a_single_one(tmp_path):
    changed = load_recipe("unet", overrides=["views.scales=[1.0, 1.4]", "views.mirrored=true"])
    assert changed.views == Views(scales=(1.0, 1.4), mirrored=True)
    save_recipe(changed, tmp_path / "recipe.yaml")
    assert load_recipe(str(tmp_path / "recipe.yaml")) == changed
    assert "views" not in to_mapping(load_recipe("unet"))


@pytest.mark.parametrize(
    ("recipe", "change", "words"),
    [
        ("unet", "views.scales=[]", "scales must name at least one scale"),
        ("unet", "views.scales=[1.0, 1.0]", "each only once"),
        ("unet", "views.scales=[0.1]", "scales must lie between 0.25 and 4"),
        ("unet", "views.mirrored=2", "views.mirrored is 2"),
        ("cms_vnet", "views.mirrored=true", "views are for images"),
    ],
)
def test_views_that_cannot_be(recipe: str, change: str, words: str):
    with pytest.raises(InputError, match=words) as caught:
        load_recipe(recipe, overrides=[change])
    assert "\n" not in str(caught.value)
