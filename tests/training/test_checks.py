"""Numbers that no training can have are refused before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.data.sources import open_sources
from bustle.training.checks import check_devices, check_recipe

OUT_OF_RANGE = {
    "optimizer.eps=-1": r"eps is -1\.0, it must be in \[0, 1\)",
    "optimizer.eps=.inf": r"optimizer\.eps is inf; it must be a finite number",
    "optimizer.lr=.nan": r"optimizer\.lr is nan; it must be a finite number",
    "optimizer={name: sgd, lr: 0.1, momentum: 3}": r"momentum is 3\.0, it must be in \[0, 1\)",
    "data.size=[1000000, 1000000]": r"size must be 32 to 8192 along every axis",
    "data.std=[.inf]": r"recipe\.data\.std\.0 is inf; it must be a finite number",
    "model.refinements=1000000000": r"refinements must be 0 to 20",
    "model.config.decoder_channels=[1000000, 64, 32, 24]": r"the training needs at least \d+\.\d GiB of memory",
    "model.config.decoder_channels=[1000000000000, 1000000000000, 32, 24]": r"the network cannot be built \(",
    "losses.0.ring_width=1e9": r"ring_width must be 0 to 8192",
    "augmentation=[{name: median_blur, kernel: 1000000001}]": r"kernel must be an odd number of pixels, 3 to 255",
    "augmentation=[{name: gaussian_blur, kernel: 1000000001, sigma: [1, 2]}]": r"kernel must be an odd number",
    "training.clip_gradient_norm=.nan": r"clip_gradient_norm is nan; it must be a finite number",
    f"training.epochs={'9' * 5000}": r"the value of training\.epochs is not YAML",
    f"augmentation={'[' * 900}": r"the value of augmentation is not YAML",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.step.name=semi_supervised", "training.step semi_supervised is for one process"),
        ("weighting.name=dynamic_average", "weighting dynamic_average remembers"),
        ("training.batch_size=3", "a batch of 3 cannot be shared by 2 processes"),
    ],
)
def test_what_several_processes_cannot_share_is_refused(change: str, words: str):
    recipe = load_recipe("demo", overrides=[change])
    with pytest.raises(InputError, match=words):
        check_devices(recipe, device="cpu", devices=2)
    check_devices(recipe, device="cpu", devices=1)


@pytest.mark.parametrize("change", OUT_OF_RANGE, ids=lambda change: change[:50])
def test_a_number_out_of_range_is_refused(change: str):
    with pytest.raises(InputError, match=OUT_OF_RANGE[change]) as caught:
        check_recipe(load_recipe("demo", overrides=[change]))
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_every_check_comes_before_a_folder_is_made(tmp_path: Path, capsys):
    words = ["train", "demo", "--data", "phantom:?cases=8", "--set", "optimizer.eps=-1"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", ["cases=1000000000000", "cine=200000", "volumes=0", f"cases={'9' * 5000}"])
def test_phantom_sets_that_nobody_means_are_refused(spec: str):
    with pytest.raises(InputError, match=r"phantom set|whole number") as caught:
        open_sources([f"phantom:?{spec}"])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", [f"seed: {'9' * 5000}", "a: " + "[" * 5000])
def test_a_recipe_beyond_the_limits_of_its_reader(tmp_path: Path, text: str):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(InputError, match=r"recipe\.yaml: is not readable YAML"):
        load_recipe(str(tmp_path / "recipe.yaml"))


def test_a_network_of_one_size_refuses_views_of_another():
    fixed = ["model.encoder_weights=null", "data.size=[224, 224]", "model.config.backbone_options={}"]
    with pytest.raises(InputError, match="classifier does not take views of 320 x 320 pixels"):
        check_recipe(load_recipe("vit_b16", overrides=[*fixed, "views.scales=[1.0, 1.4]"]))
