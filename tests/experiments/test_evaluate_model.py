"""A run folder on a data set: predicted to files, both tracks scored, training cases called out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.recipe import load_recipe, save_recipe
from bustle.data.phantom.cases import phantom_case
from bustle.data.splits.split_file import write_splits
from bustle.data.splits.splits import Fold, Splits
from bustle.evaluation.case_table import read_cases
from bustle.io.raster import write_png
from bustle.models import zoo

pytestmark = pytest.mark.usefixtures("module_without_plots")


@pytest.fixture
def run(tmp_path):
    """A run of a tiny, untrained RMTL-Net whose first fold was trained on scan s0."""
    folder = tmp_path / "run"
    recipe = load_recipe("rmtl_net", overrides=["model.encoder_weights=null", "data.size=[64, 64]"])
    tiny = to_mapping(zoo.get("rmtl_net").tiny)
    save_recipe(replace(recipe, model=replace(recipe.model, config=tiny)), folder / "recipe.yaml")
    torch.manual_seed(0)
    network = zoo.build("rmtl_net", tiny, in_channels=3, class_count=2)
    (folder / "fold-0").mkdir()
    save_file(network.state_dict(), folder / "fold-0" / "best.safetensors")
    (folder / "fold-0" / "metrics.json").write_text("{}")
    fold = Fold(train=("folder/s0",), val=(), test=("folder/s1",))
    write_splits(folder / "splits.json", Splits("strict", "strict", 0, (fold,), (), {}))
    return folder


@pytest.fixture
def data(tmp_path):
    lines = ["case_id,label,patient_id,spacing_mm"]
    rng = np.random.default_rng(0)
    for index in range(4):
        mask = np.zeros((60, 80), bool)
        mask[10:30, 10 : 30 + index] = index != 3
        write_png(tmp_path / "data" / "images" / f"s{index}.png", rng.integers(0, 255, (60, 80), dtype=np.uint8))
        write_png(tmp_path / "data" / "masks" / f"s{index}.png", mask)
        lines.append(f"s{index},{('benign', 'malignant', 'benign', 'normal')[index]},p{index},0.1")
    (tmp_path / "data" / "labels.csv").write_text("\n".join(lines))
    return f"folder:{tmp_path / 'data'}"


@pytest.mark.parametrize(("track", "protocol"), [("strict", "strict"), ("published", "rmtl")])
def test_a_run_is_scored_on_both_tracks(run, data, tmp_path, capsys, track, protocol):
    out = tmp_path / "out"
    assert main(["evaluate", "--model", str(run), "--data", data, "--out", str(out), "--track", track]) == 0
    assert "LEAK: 1 of 4 cases" in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    other = "published" if track == "strict" else "strict"
    beside = json.loads((out / f"metrics_{other}.json").read_text())
    assert (metrics["track"], metrics["protocol"]) == (track, protocol)
    assert beside["track"] == other
    assert {metrics["resolution"], beside["resolution"]} == {"native", "network"}
    assert metrics["classification"]["n"] == 3
    assert metrics["model"]["recipe"] == "rmtl_net"
    assert {row.case_id for row in read_cases(out / "cases.csv")} == {f"folder/s{index}" for index in range(4)}
    assert (out / "predictions" / "folder" / "s0" / "network_mask.png").exists()
    assert "LEAK" in (out / "report.html").read_text()


def test_one_fold_knows_what_it_was_trained_on(run, data, tmp_path, capsys):
    arguments = ["--model", str(run / "fold-0"), "--data", data, "--out", str(tmp_path / "out")]
    assert main(["evaluate", *arguments]) == 0
    assert "LEAK: 1 of 4 cases" in capsys.readouterr().out
    assert main(["evaluate", *arguments, "--missing", "as-empty"]) == 2
    assert "--missing belongs to --predictions" in capsys.readouterr().err


def test_figures_of_a_fold_that_is_not_finished_say_so(run, data, tmp_path, capsys):
    (run / "fold-0" / "metrics.json").unlink()
    out = tmp_path / "out"
    assert main(["evaluate", "--model", str(run / "fold-0"), "--data", data, "--out", str(out)]) == 0
    assert "UNFINISHED: fold-0" in capsys.readouterr().out
    assert any(
        "UNFINISHED: fold-0" in warning for warning in json.loads((out / "metrics.json").read_text())["warnings"]
    )
    assert "UNFINISHED: fold-0" in (out / "report.html").read_text()
    write_png(tmp_path / "scan.png", phantom_case(0, seed=0, size=96).image[0])
    words = ["--model", str(run / "fold-0"), "--out", str(tmp_path / "drawn")]
    assert main(["predict", str(tmp_path / "scan.png"), *words]) == 0
    assert "bustle: warning: UNFINISHED: fold-0" in capsys.readouterr().err
    record = json.loads((tmp_path / "drawn" / "scan" / "prediction.json").read_text())
    assert record["provenance"]["unfinished"] == ["fold-0"]


def test_the_cache_of_a_machine_does_not_change_the_results_of_a_model(run, data, tmp_path, monkeypatch):
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / "cache"))
    out, written = tmp_path / "out", []
    for _ in range(2):
        command = ["evaluate", "--model", str(run), "--data", data, "--groups", "duplicates", "--out", str(out)]
        assert main(command) == 0
        written.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
        shutil.rmtree(out)
    assert list((tmp_path / "cache" / "related-frames").iterdir())
    assert written[0] == written[1]


def test_prediction_files_of_a_run_can_be_scored_again(run, data, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    assert main(["evaluate", "--model", str(run), "--data", data, "--out", str(first)]) == 0
    options = ["--protocol", "rmtl", "--out", str(again)]
    assert main(["evaluate", "--predictions", str(first / "predictions"), "--data", data, *options]) == 0
    for name in ("cases.csv", "cases_published.csv"):
        assert (first / name).read_text() == (again / name).read_text()


def test_a_bad_mask_is_told_before_anything_is_predicted(run, data, tmp_path, capsys):
    (tmp_path / "data" / "masks" / "s1.png").write_bytes(b"no picture")
    write_png(tmp_path / "data" / "masks" / "s2.png", np.zeros((30, 40), bool))
    out = tmp_path / "out"
    arguments = ["evaluate", "--model", str(run), "--data", data, "--out", str(out)]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert "2 of 4 cases cannot be read, such as 'folder/s1'; leave such cases out with --skip-damaged" in told
    assert "s2.png: the mask is 40 x 30 pixels, its image 80 x 60" in told
    assert not out.exists() or not any(out.iterdir())

    assert main([*arguments, "--skip-damaged"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["n_cases"] == 2
    (warning,) = [text for text in metrics["warnings"] if "left out" in text]
    assert "2 of 4 cases cannot be read and are left out: folder/s1 (s1.png: " in warning
    assert "folder/s2 (s2.png: the mask is 40 x 30" in warning
    assert "2 of 4 cases cannot be read and are left out" in (out / "report.html").read_text()
    assert not (out / "predictions" / "folder" / "s1").exists()


RULE = {
    "domain": None,
    "presence": None,
    "malignancy": {
        "intercept": 0.0,
        "weights": [1.0],
        "least_yes": 0.3,
        "least_no": 0.4,
        "coverage_yes": 0.9,
        "coverage_no": 0.9,
        "cases_yes": 20,
        "cases_no": 20,
    },
    "smallest_part": 0.3,
}


def test_answers_are_written_and_scored_beside_the_networks_own_outputs(run, data, tmp_path, capsys):
    plain, answered = tmp_path / "plain", tmp_path / "answered"
    assert main(["evaluate", "--model", str(run), "--data", data, "--out", str(plain)]) == 0
    (run / "fold-0" / "decision.json").write_text(json.dumps({"format_version": 1, "rule": RULE}))
    assert main(["evaluate", "--model", str(run), "--data", data, "--out", str(answered)]) == 0

    # The network's own figures are what they were.
    before, after = (json.loads((folder / "metrics.json").read_text()) for folder in (plain, answered))
    assert (before["segmentation"], before["classification"]) == (after["segmentation"], after["classification"])
    assert "answers" not in before
    assert not (plain / "cases_answers.csv").exists()

    record = json.loads((answered / "predictions" / "folder" / "s1" / "prediction.json").read_text())
    assert record["decision"] == record["answer"]["decision"]
    assert record["decision"] in ("benign", "malignant", "refer")
    rows = read_cases(answered / "cases_answers.csv")
    assert [row.case_id for row in rows] == [f"folder/s{index}" for index in range(4)]
    figures = after["answers"]
    assert figures["segmentation"]["missed_lesions"]["n"] == 3
    assert figures["consistency"]["lesion_but_not_drawn"]["count"] == 0  # an answer contradicts itself never
    assert figures["left_open"]["n"] == 4
    assert figures["left_open"]["count"] == sum(row.decision == "refer" for row in rows)
    assert "Answers" in (answered / "report.html").read_text()


def test_a_damaged_rule_is_told_in_one_line(run, data, tmp_path, capsys):
    for content in ("{}", json.dumps({"format_version": 1, "rule": RULE | {"smallest_part": 3}}), "not json"):
        (run / "fold-0" / "decision.json").write_text(content)
        assert main(["evaluate", "--model", str(run), "--data", data, "--out", str(tmp_path / "out")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "decision.json" in line
