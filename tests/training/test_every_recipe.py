"""Every shipped recipe takes two training steps, is stopped between them, and goes on.

Those of images at their full size, those of volumes on smaller patches.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, load_recipe, recipe_ids
from bustle.core.types import Case
from bustle.data.class_groups import in_class_groups
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold
from bustle.training.fastest_form import fastest_form
from bustle.training.learner import Learner
from bustle.training.run import train_fold


def two_epochs_of(name: str) -> Recipe:
    """The recipe with two epochs (in every stage) of one batch of two, and random starting weights."""
    recipe = load_recipe(name)
    overrides = ["model.encoder_weights=null", "training.epochs=2", "training.batch_size=2", "training.monitor=loss"]
    overrides += [
        f"stages.{number}.set.training.{key}"
        for number in range(len(recipe.stages))
        for key in ("epochs=2", "monitor=loss")
    ]
    if isinstance(recipe.data, PatchData):
        overrides.append("data.size=[64, 32, 64]")
    overrides += [
        f"losses.{place}.weights=random" for place, loss in enumerate(recipe.losses) if loss.name == "lossnet"
    ]
    recipe = load_recipe(name, overrides=overrides)
    return replace(recipe, training=fastest_form(recipe, device="cpu").decide(recipe.training))


@pytest.fixture(scope="module")
def volumes() -> Sequence[Case]:
    return open_sources(["phantom:?volumes=8&coarse=4"]).cases


@pytest.mark.full
@pytest.mark.parametrize("name", recipe_ids())
def test_every_recipe_takes_two_steps_and_resumes(
    name: str,
    cases: Sequence[Case],
    volumes: Sequence[Case],
    strict: Protocol,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = two_epochs_of(name)
    every = in_class_groups(cases if len(recipe.data.size) == 2 else volumes, recipe.data.class_groups)
    known = [case for case in every if case.label in recipe.data.classes]
    used = [next(case for case in known if case.label == label) for label in recipe.data.classes[:2]]
    others = [case for case in known if case not in used][:2]
    fold = Fold(train=tuple(case.case_id for case in used), val=tuple(case.case_id for case in others), test=())
    learn = Learner.train_epoch

    def interrupted(self: Learner, epoch: int, **options: Any) -> dict[str, float]:
        if epoch == 1:
            raise InputError("stopped after one step", remedy="resume")
        return learn(self, epoch, **options)

    def train(*, resume: bool) -> int:
        both = [*used, *others]
        return train_fold(
            recipe, cases=both, fold=fold, out=tmp_path, protocol=strict, device="cpu", resume=resume
        ).epochs

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Learner, "train_epoch", interrupted)
            with pytest.raises(InputError, match="stopped after one step"):
                train(resume=False)
        assert train(resume=True) == 2
        rows = (tmp_path / "metrics.csv").read_text().splitlines()
        losses = [float(row.split(",")[rows[0].split(",").index("train_loss")]) for row in rows[1:]]
        assert len(losses) == 2
        assert all(math.isfinite(loss) for loss in losses)
    finally:
        shutil.rmtree(tmp_path)  # a checkpoint of the largest networks has more than a gigabyte
