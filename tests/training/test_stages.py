"""Trainings in sequence: settings, hand-over of the weights, and exact resume in the middle (LA-Net, Algorithm 1)."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, load_recipe, save_recipe
from bustle.core.types import Case
from bustle.data.splits.splits import Fold
from bustle.training.checks import check_recipe
from bustle.training.learner import Learner
from bustle.training.run import TrainedFold, train_fold
from bustle.training.stages import stages_of

TWO = (
    "data.located_fraction=0.5",
    "training.ema_decay=null",
    "stages=[{name: located, cases: located, set: {training.epochs: 2, losses: [{name: dice}]}}, "
    "{name: all, set: {training.epochs: 2, optimizer.lr: 1.0e-4, training.step: {name: semi_supervised}}}]",
)
Train = Callable[..., TrainedFold]


@pytest.fixture
def train(cases: Sequence[Case], fold: Fold, strict: Protocol) -> Train:
    def run(recipe: Recipe, out: Path, **options: Any) -> TrainedFold:
        return train_fold(recipe, cases=cases, fold=fold, out=out, protocol=strict, device="cpu", **options)

    return run


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as table:
        return list(csv.DictReader(table))


def test_a_stage_changes_the_recipe_for_itself(tiny_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    first, last = stages_of(tiny_recipe(*TWO), folder=tmp_path)
    assert (first.name, first.located_only, first.folder) == ("located", True, tmp_path / "stages" / "located")
    assert (last.name, last.located_only, last.folder) == ("all", False, tmp_path)
    assert [loss.name for loss in first.recipe.losses] == ["dice"]
    assert [loss.name for loss in last.recipe.losses] == ["region_cross_entropy", "class_cross_entropy"]
    assert first.recipe.training.step.name == "joint"
    assert last.recipe.optimizer.options["lr"] == 1e-4
    assert first.recipe.stages == ()
    (only,) = stages_of(tiny_recipe(), folder=tmp_path)
    assert (only.name, only.located_only, only.folder, only.recipe) == (None, False, tmp_path, tiny_recipe())


def test_stages_survive_the_recipe_s_file(tiny_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    save_recipe(tiny_recipe(*TWO), tmp_path / "recipe.yaml")
    assert load_recipe(str(tmp_path / "recipe.yaml")) == tiny_recipe(*TWO)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ("[{name: a}, {name: a}]", "a name of its own"),
        ("[{name: a/b}]", "a name of its own"),
        ("[{name: a, set: {training.epoch: 2}}]", "did you mean epochs"),
        ("[{name: a, set: {training.epochs: 0}}]", "at least 1"),
        ("[{name: a, set: {model.config.dropout: 0.1}}]", "stage a changes the model"),
        ("[{name: a, set: {data.size: [96, 96]}}]", "stage a changes the model or the data section"),
        ("[{name: a, set: {training.seed: 7}}]", "the seed"),
        ("[{name: a, set: {protocol: strict}}]", "stage a changes"),
        ("[{name: a, set: {stages: [{name: b}]}}]", "stage a changes"),
        ("[{name: a, cases: outlined}]", "one of all, located"),
        ("[{name: a, takes: [encoder]}, {name: b}]", "stage a takes from a stage before it"),
        ("[{name: a}, {name: b, takes: [encodr]}]", "did you mean encoder"),
        ("[{name: a, set: {losses: [{name: dise}]}}]", "did you mean dice"),
    ],
)
def test_wrong_stages_are_told(tiny_recipe: Callable[..., Recipe], stages: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_recipe(tiny_recipe(f"stages={stages}"))


def test_the_second_stage_starts_from_the_first_and_resumes_exactly(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(*TWO)
    seen: list[tuple[str, int, torch.Tensor]] = []
    learn = Learner.train_epoch

    def watched(self: Learner, epoch: int, **options: Any) -> dict[str, float]:
        cases = sum(len(batch) for batch in self.batches.training(epoch).batches)
        weight = self.network.get_parameter("class_head.1.weight").detach().clone()
        seen.append((self.recipe.losses[0].name, cases, weight))
        return learn(self, epoch, **options)

    monkeypatch.setattr(Learner, "train_epoch", watched)
    straight = train(recipe, tmp_path / "straight")
    assert [(name, cases) for name, cases, _ in seen] == [("dice", 4)] * 2 + [("region_cross_entropy", 9)] * 2
    located = load_file(tmp_path / "straight" / "stages" / "located" / "best.safetensors")
    assert torch.equal(seen[2][2], located["class_head.1.weight"])
    assert [row["epoch"] for row in rows(straight.folder)] == ["1", "2"]
    assert "train_dice" in rows(tmp_path / "straight" / "stages" / "located")[0]

    def interrupted(self: Learner, epoch: int, **options: Any) -> dict[str, float]:
        if epoch == 1 and self.recipe.losses[0].name == stop_in:
            raise InputError("stopped", remedy="go on")
        return learn(self, epoch, **options)

    monkeypatch.setattr(Learner, "train_epoch", interrupted)
    for stop_in in ("dice", "region_cross_entropy"):
        out = tmp_path / f"stopped-in-{stop_in}"
        with pytest.raises(InputError, match="stopped"):
            train(recipe, out)
        with pytest.raises(InputError, match="has a checkpoint already"):
            train(recipe, out)
        with monkeypatch.context() as patch:
            patch.setattr(Learner, "train_epoch", learn)
            resumed = train(recipe, out, resume=True)
        assert resumed.epochs == straight.epochs == 2
        assert (out / "best.safetensors").read_bytes() == (straight.folder / "best.safetensors").read_bytes()


def test_a_stage_takes_over_the_parts_that_it_names(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path
) -> None:
    """With a learning rate of almost nothing its weights show what it started from."""
    second = "{name: all, takes: [decoder], set: {training.epochs: 1, optimizer.lr: 1.0e-12}}"
    first = "{name: located, set: {training.epochs: 1}}"
    train(tiny_recipe("training.ema_decay=null", f"stages=[{first}, {second}]"), tmp_path)
    before = load_file(tmp_path / "stages" / "located" / "best.safetensors")
    after = load_file(tmp_path / "best.safetensors")
    learned = [name for name in before if before[name].is_floating_point() and "running" not in name]
    equal = {name for name in learned if torch.allclose(before[name], after[name], atol=1e-9)}
    assert equal >= {name for name in learned if name.startswith("decoder.")}
    assert not any(name in equal for name in learned if name.startswith("encoder.") and name.endswith("conv1.weight"))
