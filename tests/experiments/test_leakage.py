"""The leakage study: how its arms split, what it keeps, and the flaws of scoring on finished results."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.experiments.made_run import CLASSES, write_run
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe, load_recipe
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.core.types import Collection
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold, Splits
from bustle.evaluation.case_table import write_cases
from bustle.experiments.leakage import rescored
from bustle.experiments.leakage_arms import ARMS, splits_of
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.run_folder import RunFolder, data_fingerprints
from bustle.experiments.study_runs import trained
from bustle.io.raster import write_png

DATA = load_recipe("demo").data


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images each of ten patients, half of them with malignant lesions; one image has nothing to draw."""
    folder = tmp_path_factory.mktemp("patients")
    random = np.random.default_rng(0)
    lines = ["case_id,label,patient_id"]
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(20):
        image = np.kron(random.integers(0, 100, (8, 8)), np.ones((8, 8))).astype(np.uint8)  # no two are alike
        mask = np.zeros((64, 64), np.uint8)
        mask[20:44, 20:44] = 255
        image[mask > 0] += np.uint8(0 if number == 7 else 150)
        write_png(folder / "images" / f"c{number}.png", image)
        write_png(folder / "masks" / f"c{number}.png", mask)
        lines.append(f"c{number},{'malignant' if number // 2 % 2 else 'benign'},p{number // 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def collection(patients: Path) -> Collection:
    return open_sources([f"folder:{patients}"])


def test_all_arms_test_the_same_cases_and_differ_in_their_flaw_alone(collection: Collection):
    made = {name: splits_of(arm, collection, folds=2, seed=0, data=DATA) for name, arm in ARMS.items()}
    tested = {name: sorted(case for fold in splits.folds for case in fold.test) for name, splits in made.items()}
    assert all(cases == sorted(set(tested["strict"])) for cases in tested.values())
    for strict, flawed in zip(made["strict"].folds, made["epoch_on_test"].folds, strict=True):
        assert (flawed.train, flawed.test, flawed.val) == (strict.train, strict.test, strict.test)
    patient_of = {case.case_id: case.patient_id for case in collection.cases}
    for name, splits in made.items():
        divided = any(
            {patient_of[case] for case in fold.test} & {patient_of[case] for case in fold.train}
            for fold in splits.folds
        )
        assert divided == ARMS[name].by_image


@pytest.mark.usefixtures("without_plots")
def test_finished_results_are_scored_in_the_flawed_ways(patients: Path, tmp_path: Path):
    data, result = f"folder:{patients}", tmp_path / "result"
    package = write_package(tmp_path / "hand.bustle")
    assert main(["evaluate", "--model", str(package), "--data", data, "--out", str(result)]) == 0
    words = ["study", "leakage", "--scored", str(result), "--data", data, "--out", str(tmp_path / "study")]
    assert main(words) == 0
    study = json.loads((tmp_path / "study/leakage.json").read_text())
    found = {each["flaw"]: {one["metric"]: one for one in each["figures"]} for each in study["results"]}
    assert not any(each["trained"] for each in study["results"])
    assert found["missed_at_zero"]["hd95_px"]["difference"] < 0
    assert set(found["missed_at_zero"]) == {"hd95_px"}
    assert "several_masks_dropped" not in found
    assert (tmp_path / "study/leakage.html").exists()


def test_what_is_no_finished_strict_evaluation_is_refused(collection: Collection, tmp_path: Path):
    write_run(tmp_path / "run", folds=[range(6)])
    fold, other = RunLayout(tmp_path / "run").fold(0), ScoredFolder(tmp_path / "other")
    unfinished, empty = ScoredFolder(tmp_path / "unfinished"), ScoredFolder(tmp_path / "empty")
    for folder in (other, unfinished, empty):
        folder.path.mkdir()
    for file, copy in zip(fold.companion("published"), other.main, strict=True):
        shutil.copy(file, copy)
    shutil.copy(fold.main.cases, unfinished.main.cases)
    shutil.copy(fold.main.metrics, empty.main.metrics)
    write_cases(empty.main.cases, [], classes=CLASSES)
    study, trained_study = tmp_path / "study", tmp_path / "trained"
    trained_study.mkdir()
    record = trained_study / "leakage.json"
    record.write_text('{"recipe": "demo"}')
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").touch()
    for folders, out, problem in (
        ([unfinished.path], study, "holds no finished evaluation"),
        ([tmp_path / "absent"], study, "holds no finished evaluation"),
        ([other.path], study, "was evaluated by the published track"),
        ([empty.path], study, "holds no case"),
        ([fold.path, tmp_path / "elsewhere/fold-0"], study, "two results are called fold-0"),
        ([fold.path], trained_study, "is the record of a study with trainings"),
        ([fold.path], foreign, "holds notes.txt"),
    ):
        with pytest.raises(InputError, match=problem):
            rescored(folders, collection=collection, out=out)
    assert not study.exists()
    assert record.read_text() == '{"recipe": "demo"}'


def test_a_finished_training_of_another_recipe_split_or_data_is_not_taken_for_this_one(
    collection: Collection, tmp_path: Path
):
    recipe, run = load_recipe("demo", overrides=["training.epochs=1"]), RunLayout(tmp_path / "run")
    names = tuple(case.case_id for case in collection.cases)
    groups = {name: name for name in names}
    splits = Splits("strict", "strict", 0, (Fold(names[8:], names[4:8], names[:4]),), (), groups)
    of_data = data_fingerprints(collection.cases)
    made = RunFolder.create(run.path, recipe=recipe, splits=splits, images={}, fingerprints=of_data, init=None)
    made.begin_session()
    run.summary.write_text("{}")

    def reused(recipe: Recipe, splits: Splits, collection: Collection) -> RunLayout:
        split = SplitChoice(made=splits)
        return trained(recipe, collection=collection, out=run.path, split=split, seed=0, device="cpu")

    assert reused(recipe, splits, collection) == run
    longer = load_recipe("demo", overrides=["training.epochs=2"])
    swapped = dataclasses.replace(splits, folds=(Fold(names[8:], names[:4], names[4:8]),))
    cases = (dataclasses.replace(collection.cases[0], label="malignant"), *collection.cases[1:])
    for problem, other in (
        ("training.epochs (1 there, 2 here)", (longer, splits, collection)),
        ("which cases are in which fold", (recipe, swapped, collection)),
        ("the data of folder", (recipe, splits, Collection(cases))),
    ):
        with pytest.raises(InputError, match=re.escape(problem)):
            reused(*other)


@pytest.mark.full
def test_an_interrupted_study_keeps_what_is_finished(patients: Path, tmp_path: Path):
    tiny = ["training.epochs=1", "data.size=[32, 32]", "model.config.backbone=test_resnet"]
    words = ["study", "leakage", "--data", f"folder:{patients}", "--out", str(tmp_path / "study"), "--folds", "2"]
    assert main([*words, "--set", *tiny]) == 0
    weights = sorted((tmp_path / "study").rglob("best.safetensors"))
    assert len(weights) == 8
    times = [path.stat().st_mtime_ns for path in weights]
    assert main([*words, "--set", *tiny]) == 0
    assert [path.stat().st_mtime_ns for path in weights] == times
    study = json.loads((tmp_path / "study/leakage.json").read_text())
    assert {each["flaw"] for each in study["results"] if each["trained"]} == {"by_image", "epoch_on_test", "all"}
