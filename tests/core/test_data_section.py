"""Sections of images and of volumes check themselves, are told apart by `resize`, and are read from older runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bustle.core.data_section import ImageData, PatchData, upgraded_data
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe, save_recipe

OLDER_RUNS = Path(__file__).parent / "older_runs"
"""Recipes as runs resolved them when all fields stood in every data section."""


def test_both_sections_check_what_they_share():
    with pytest.raises(ValueError, match="mean and std need 1 values"):
        ImageData(channels=1)
    with pytest.raises(ValueError, match="32 to 8192"):
        ImageData(size=(16, 256))
    with pytest.raises(ValueError, match="std must lie between"):
        ImageData(std=(0.2, 0.0, 0.2))
    for classes in ((), ("benign", "benign")):
        with pytest.raises(ValueError, match="at least one class, and each only once"):
            ImageData(classes=classes)
    with pytest.raises(ValueError, match="32 to 8192"):
        PatchData(size=(32, 16, 32), spacing_mm=0.5)


def test_patches_check_what_only_they_have():
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"spacing_mm": 0.0}, "spacing_mm must be positive"),
        ({"lesion_share": 1.1}, "lesion_share must lie between 0 and 1"),
        ({"lesion_offset": 0.5}, "the centre may leave the patch"),
    )
    for values, problem in wrong:
        with pytest.raises(ValueError, match=problem):
            PatchData(**({"size": (32, 32, 32), "spacing_mm": 0.5} | values))


def test_resize_tells_the_sections_apart():
    images, volumes = load_recipe("demo").data, load_recipe("cms_vnet_iter").data
    assert isinstance(images, ImageData)
    assert isinstance(volumes, PatchData)
    assert isinstance(load_recipe("demo", overrides=["data.resize=letterbox"]).data, ImageData)


@pytest.mark.parametrize(
    ("recipe", "setting", "problem"),
    [
        ("demo", "data.resize=strech", "data.resize is 'strech'; it must be one of stretch, letterbox, patch"),
        ("demo", "data.resize=patch", "recipe.data lacks spacing_mm"),
        ("demo", "data.size=[64, 64, 64]", r"data.size is \[64, 64, 64\]; it must be a list of 2 values"),
        ("demo", "data.lesion_share=0.5", "unknown key 'lesion_share' in recipe.data"),
        ("demo", "data.spacing_mm=0.5", "unknown key 'spacing_mm' in recipe.data"),
        ("cms_vnet_iter", "data.size=[64, 64]", r"data.size is \[64, 64\]; it must be a list of 3 values"),
        ("cms_vnet_iter", "data.lesion_shar=1", "'lesion_shar' in recipe.data; did you mean lesion_share"),
        ("cms_vnet_iter", "data.resize=stretch", "unknown key 'spacing_mm' in recipe.data"),
        ("cms_vnet_iter", "data.spacing_mm=-1", "recipe.data: spacing_mm must be positive"),
        ("demo", "data=3", "recipe.data is 3; it must be a mapping"),
    ],
)
def test_errors_are_about_the_section_that_resize_names(recipe: str, setting: str, problem: str):
    with pytest.raises(InputError, match=problem):
        load_recipe(recipe, overrides=[setting])


def test_a_run_of_images_from_before_is_read():
    assert "spacing_mm: null" in (OLDER_RUNS / "images.yaml").read_text()
    assert load_recipe(str(OLDER_RUNS / "images.yaml")).data == ImageData(
        size=(128, 128), channels=1, mean=(0.3,), std=(0.25,), classes=("benign", "malignant", "normal")
    )


def test_a_run_of_volumes_from_before_is_read():
    assert load_recipe(str(OLDER_RUNS / "volumes.yaml")).data == PatchData(
        size=(64, 32, 64),
        spacing_mm=1.0,
        lesion_share=0.7,
        lesion_offset=0.4,
        channels=1,
        normalisation="z_score",
        mean=(0.0,),
        std=(1.0,),
    )


def test_only_sections_of_older_runs_are_changed(tmp_path: Path):
    for name in ("demo", "cms_vnet_iter"):
        save_recipe(load_recipe(name), tmp_path / "recipe.yaml")
        written = yaml.safe_load((tmp_path / "recipe.yaml").read_text())["data"]
        assert upgraded_data(written) == written
    own = {"resize": "letterbox", "lesion_share": 0.5}
    assert upgraded_data(own) == own, "a mistake of today is still told"
