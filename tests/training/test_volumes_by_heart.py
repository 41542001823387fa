"""The paper's system learns two phantom volumes by heart: outlines and classes, through its own training."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.core.recipe import load_protocol, load_recipe, save_recipe
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold
from bustle.experiments.predict import predict_cases
from bustle.inference.prediction_files import read_prediction
from bustle.inference.predictor import Predictor

SETTINGS = [
    "data.size=[32,32,32]",
    "data.spacing_mm=1.0",
    "augmentation=[]",
    "training.epochs=120",
    "training.batch_size=2",
    "optimizer.lr=3e-3",
    "model.refinements=1",
]


@pytest.mark.full
def test_two_phantom_volumes_are_learned_by_heart(tmp_path: Path):
    recipe = load_recipe("cms_vnet_iter_cpu", overrides=SETTINGS)
    from bustle.training.run import train_fold

    cases = open_sources(["phantom:?volumes=12&coarse=2&seed=1"]).cases
    pair = [next(case for case in cases if case.label == label) for label in ("benign", "malignant")]
    ids = tuple(case.case_id for case in pair)
    fold = Fold(train=ids, val=(), test=ids)
    train_fold(recipe, cases=pair, fold=fold, out=tmp_path / "fold-0", protocol=load_protocol("abus"), device="cpu")
    save_recipe(recipe, tmp_path / "recipe.yaml")
    predictor = Predictor.open(tmp_path / "fold-0", device="cpu")
    predict_cases(predictor, pair, tmp_path / "out", located=True)
    for case in pair:
        sample, found = case.load(), read_prediction(tmp_path / "out" / case.case_id)
        assert sample.lesion_mask is not None
        assert found.segmentation is not None
        truth, mask = sample.lesion_mask > 0, found.segmentation.mask
        dice = 2 * (truth & mask).sum() / (truth.sum() + mask.sum())
        assert found.decision == case.label
        assert dice > 0.8
