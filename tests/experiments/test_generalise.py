"""The generalisation matrix: which trainings it takes, and what a cell tells."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.experiments.made_run import write_run

from bustle.cli.main import main
from bustle.core.provenance import provenance
from bustle.core.recipe import load_protocol
from bustle.core.run_layout import RunLayout
from bustle.data.relations.duplicates import FramePair
from bustle.data.sources import open_by_source
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.generalisation import Generalisation, cell_of
from bustle.evaluation.summary import Scoring, summarise
from bustle.experiments import generalise
from bustle.experiments.external_protocol import load_external
from bustle.experiments.generalise import cells_of, trainings
from bustle.report.generalisation_page import write_generalisation_page

CLASSES = ("benign", "malignant")


def test_each_data_set_alone_and_of_three_each_one_left_out():
    assert [each.trained_on for each in trainings(["a", "b"])] == [("a",), ("b",)]
    three = trainings(["a", "b", "c"])
    assert [each.trained_on for each in three] == [("a",), ("b",), ("c",), ("b", "c"), ("a", "c"), ("a", "b")]
    assert [each.unseen for each in three] == [("b", "c"), ("a", "c"), ("a", "b"), ("a",), ("b",), ("c",)]


def answered(name: str, label: str, possible: str) -> CaseRow:
    return CaseRow(
        case_id=name,
        group_id=name,
        source="s",
        label=label,
        probabilities={"benign": 0.5, "malignant": 0.5},
        dice=0.5,
        truth_empty=False,
        prediction_empty=False,
        possible=possible,
    )


def test_the_threshold_from_home_calls_malignant_what_it_does_not_exclude():
    rows = [
        answered(f"m{number}", "malignant", "benign|malignant" if number < 6 else "benign") for number in range(8)
    ]
    rows += [answered(f"b{number}", "benign", "malignant" if number < 2 else "benign") for number in range(8)]
    rows += [answered("away", "benign", "")]  # no breast ultrasound: nothing is said of it
    scoring = Scoring(protocol=load_protocol("strict"), classes=CLASSES, resamples=50)
    scores = summarise(rows, scoring=scoring, track="strict")
    cell = cell_of(scores, rows, trained_on=("a",), tested_on="b", at_home=False, warnings=(), resamples=200)
    assert (cell.n, cell.lesions) == (17, 17)
    sensitivity, specificity = (
        cell.figures[name] for name in ("sensitivity_at_home_threshold", "specificity_at_home_threshold")
    )
    assert (sensitivity.value, sensitivity.n) == (0.75, 8)
    assert (specificity.value, specificity.n) == (0.75, 8)
    assert sensitivity.ci95 is not None
    assert sensitivity.ci95[0] < 0.75 < sensitivity.ci95[1]
    assert "fp_rate_on_normals" not in cell.figures
    without = cell_of(scores, (), trained_on=("a",), tested_on="b", at_home=False, warnings=())
    assert "sensitivity_at_home_threshold" not in without.figures


def test_a_test_on_copies_of_training_images_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    warning = "LEAK: 2 of 6 cases look like copies of images that trained or chose this model"
    training = trainings(["a", "b"])[0]
    write_run(tmp_path / "made", folds=[range(6)])
    made, test = RunLayout(tmp_path / "made").fold(0).main, generalise.test_of(tmp_path, training, "b")
    test.path.mkdir(parents=True)
    shutil.copy(made.cases, test.main.cases)
    test.main.metrics.write_text(json.dumps(json.loads(made.metrics.read_text()) | {"warnings": [warning]}))
    (cell,) = cells_of(tmp_path, training)
    assert cell.warnings == (warning,)

    monkeypatch.setattr("bustle.report.generalisation_page.can_draw_plots", lambda: False)
    study = Generalisation(recipe="r", epochs=1, size=(8, 8), holdout=0.2, cells=(cell,), provenance=provenance())
    write_generalisation_page(tmp_path / "page.html", study)
    assert f"Trained on a, tested on b: {warning}" in (tmp_path / "page.html").read_text(encoding="utf-8")
    monkeypatch.setattr("bustle.experiments.generalise.study_generalisation", lambda *_, **__: study)
    assert main(["study", "generalise", "--data", "phantom:?cases=3&size=64", "--out", str(tmp_path / "out")]) == 0
    assert f"  warning: {warning}" in capsys.readouterr().out


def test_one_data_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["study", "generalise", "--data", "phantom:?cases=8&size=64", "--out", str(tmp_path / "study")]
    assert main(words) == 2
    assert "one data set cannot show" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_an_external_protocol_names_the_data_that_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["study", "generalise", "--out", str(tmp_path / "study"), "--external"]
    assert main([*words, "bus-bar", "--data", "phantom:?cases=3&size=64&name=busi"]) == 2
    assert "bus-bra" in capsys.readouterr().err
    assert main([*words, "bus-bra", "--data", "phantom:?cases=3&size=64&name=busi"]) == 2
    assert "the protocol bus-bra needs bus-bra; give bus-bra:PATH to --data" in capsys.readouterr().err


def test_a_clean_data_set_has_one_copy_of_a_frame_and_none_of_conflicting_ones(monkeypatch: pytest.MonkeyPatch):
    collection = open_by_source(["phantom:?cases=6&size=64&name=busi"])["busi"]
    labels = ["benign", "benign", "benign", "malignant", "normal", "malignant"]
    cases = tuple(replace(case, label=label) for case, label in zip(collection.cases, labels, strict=True))
    pairs = tuple(
        FramePair(cases[first].case_id, cases[second].case_id, "copy", 1.0, 1.0, 1.0)
        for first, second in ((0, 1), (2, 3))
    )
    monkeypatch.setattr("bustle.experiments.external_protocol.related_frames", lambda _: pairs)
    given = {name: replace(collection, cases=cases) for name in ("busi", "bus-bra")}
    chosen = load_external("bus-bra").chosen(given)
    assert list(chosen) == ["bus-bra", "busi-clean"], "BrEaST is not given"
    assert chosen["busi-clean"].cases == (cases[0], cases[4], cases[5])
    assert chosen["bus-bra"].cases == cases


def test_sources_are_told_apart_by_their_names():
    opened = open_by_source(["phantom:?cases=3&size=64&name=a", "phantom:?cases=4&size=64&name=b"])
    assert {name: len(each.cases) for name, each in opened.items()} == {"a": 3, "b": 4}


@pytest.mark.full
def test_an_interrupted_study_keeps_what_is_finished(tmp_path: Path):
    specs = ["phantom:?cases=24&size=64&seed=0&name=a", "phantom:?cases=24&size=64&seed=1&name=b"]
    tiny = ["training.epochs=1", "data.size=[32, 32]", "model.config.backbone=test_resnet"]
    words = ["study", "generalise", "--data", *specs, "--out", str(tmp_path / "study"), "--set", *tiny]
    assert main(words) == 0
    kept = sorted([*tmp_path.rglob("best.safetensors"), *tmp_path.rglob("on-*/metrics.json")])
    assert len(kept) == 4
    times = [path.stat().st_mtime_ns for path in kept]
    assert main(words) == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    study = json.loads((tmp_path / "study/generalisation.json").read_text())
    places = [(cell["trained_on"], cell["tested_on"], cell["at_home"]) for cell in study["cells"]]
    assert places == [(["a"], "a", True), (["a"], "b", False), (["b"], "b", True), (["b"], "a", False)]
