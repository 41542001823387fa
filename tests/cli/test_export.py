"""A run that was really trained, exported, and used in its place."""

from __future__ import annotations

import json
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bustle.cli.main import main
from bustle.core.run_layout import RunLayout
from bustle.core.run_provenance import read_run_provenance
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.readers import breast
from bustle.evaluation.result_files import read_run, read_track
from bustle.experiments.export import export_run, terms_of
from bustle.export import package as export_package
from bustle.export.model_card import model_card
from bustle.export.package import KnownOfRun
from bustle.export.parity import TOLERANCE
from bustle.inference.package import Package, PackageRecord, TrainingSource, case_digest
from bustle.io.raster import read_image, read_mask
from bustle.report.training_sentence import FOREIGN, trained_on
from bustle.report.wording import interval

pytestmark = pytest.mark.usefixtures("module_without_plots")

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_set(folder, cases=18, seed=5, size=64)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    # In one epoch no region comes above a half, so that the class head would be given nothing.
    changes = ["training.epochs=1", "training.ema_decay=null", "model.config.threshold=0.2"]
    words = ["--data", f"folder:{data}", "--folds", "2", "--set", *changes, "--device", "cpu", "--out", str(out)]
    assert main(["train", str(RECIPE), *words]) == 0
    return out


@pytest.fixture(scope="module")
def package(run: Path) -> Path:
    out = run.parent / "model.bustle"
    assert main(["export", str(run), "--out", str(out)]) == 0
    return out


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def error_of(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_what_the_package_knows_of_its_run(run: Path, package: Path):
    record = Package(package).record
    assert [weights.fold for weights in record.weights] == ["fold-0", "fold-1"]
    assert record.training.track == record.training.protocol == "strict"
    assert record.training.starting_weights is None
    fingerprint = read(run / "provenance.json")["data"]["folder"]
    assert record.training.data["folder"] == TrainingSource(**fingerprint, licence="Your data's own")
    result = read_run(run / "summary.json")
    assert result.companion is not None
    strict, published = record.metrics
    assert (strict.track, published.track) == ("strict", "published")
    assert strict.segmentation == result.pooled.segmentation
    assert published.classification == result.companion.pooled.classification
    assert strict.folds == ("fold-0", "fold-1")
    splits = read(run / "splits.json")
    seen = {case for fold in splits["folds"] for case in fold["train"] + fold["val"]}
    assert len(record.seen_images) == len(seen)
    text = (package / "package.json").read_text()
    assert "folder/" not in text  # no case id
    assert not any(case_digest(case) in text for case in seen), "an id that is a number could be found by trying all"
    assert record.training_cases is None, "kept only where that is asked for"
    assert str(run.parent) not in text


def test_a_run_that_remembered_no_images_tells_of_its_cases_by_their_ids_and_the_card_says_so(
    run: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    older = tmp_path / "older"
    shutil.copytree(run, older)
    (older / "images.json").unlink()
    record = Package(package).record

    def keep(*_: Any, known: KnownOfRun, **__: Any) -> PackageRecord:
        return replace(record, seen_images=known.seen_images, seen_cases=known.seen_cases)

    monkeypatch.setattr(export_package, "write_package", keep)
    made = export_run(older, tmp_path / "m.bustle")
    fold = read(run / "splits.json")["folds"][0]
    assert made.seen_images == ()
    assert {case_digest(case) for case in fold["train"]} <= set(made.seen_cases)
    told = "a file name that can be guessed is confirmed"
    assert told in model_card(made, name="m.bustle")
    assert told not in model_card(record, name="m.bustle")


def test_the_terms_of_a_published_data_set_name_its_article():
    assert terms_of("breast") == f"CC BY 4.0; cite {breast.DESCRIPTION.citation}"
    assert terms_of("folder") == "Your data's own"
    assert terms_of("site-1") is None


def test_the_card_has_the_figures_of_both_tracks(run: Path, package: Path):
    card = (package / "MODEL_CARD.md").read_text()
    dice = read(run / "summary.json")["pooled"]["segmentation"]["dice"]
    assert f"| Dice | {dice['mean']:.3f} | {interval(dice['ci95'], 'fraction')} |" in card
    assert "Track `published`" in card
    assert "benign positive" in card
    assert "The mean of the networks, which this package gives, was not scored itself." in card
    assert "split by" in card.lower()
    assert "random weights" in card
    assert "| source: " in card
    assert "| size of the lesion: small |" in card
    assert "Not for decisions about a patient" in card
    assert "bustle grants no licence for these weights" in card


def test_a_package_predicts_what_its_run_predicts(run: Path, package: Path, data: Path, tmp_path: Path):
    for model in (run, package):
        words = ["predict", str(data / "images"), "--model", str(model), "--out", str(tmp_path / model.name)]
        assert main([*words, "--save-probability", "--device", "cpu"]) == 0
    names = [folder.name for folder in (tmp_path / "run").iterdir()]
    assert len(names) == 18
    for name in names:
        one, other = (tmp_path / model.name / name for model in (run, package))
        for mask in ("mask.png", "network_mask.png"):
            assert np.array_equal(read_mask(one / mask), read_mask(other / mask))
        maps = [read_image(folder / "probability.png").astype(int) for folder in (one, other)]
        assert np.abs(maps[0] - maps[1]).max() <= 1  # a probability on the border of two bytes
        first, second = (read(folder / "prediction.json") for folder in (one, other))
        # the tolerance is the product's own: what the export takes for rounding, or it refuses the package
        assert first["class_probabilities"] == pytest.approx(second["class_probabilities"], abs=TOLERANCE)
        assert first["decision"] == second["decision"]
        assert first["provenance"]["weights"] == second["provenance"]["weights"]


def test_a_package_is_scored_like_its_run(run: Path, package: Path, data: Path, tmp_path: Path, capsys):
    found = {}
    for model in (run, package):
        out = tmp_path / model.name
        words = ["evaluate", "--model", str(model), "--data", f"folder:{data}", "--out", str(out)]
        capsys.readouterr()
        assert main([*words, "--device", "cpu"]) == 0
        leak = [line for line in capsys.readouterr().out.splitlines() if "LEAK" in line]
        found[model.name] = (leak, read(out / "metrics.json")["segmentation"], (out / "cases.csv").exists())
    assert found["run"][0] == found["model.bustle"][0] != []
    assert found["run"] == found["model.bustle"]


def test_one_fold_as_a_zip_that_keeps_its_training_cases(run: Path, data: Path, tmp_path: Path, capsys):
    out = tmp_path / "fold.zip"
    words = ["--out", str(out), "--licence", "CC BY 4.0", "--with-cases", f"folder:{data}"]
    assert main(["export", str(run / "fold-1"), *words]) == 0
    said = capsys.readouterr().out
    assert f"1 network, written to {out}" in said
    assert "mask pixels flipped" in said
    record = Package(out).record
    assert record.licence == "CC BY 4.0"
    assert [track.track for track in record.metrics] == ["strict", "published"]
    assert record.metrics[0].segmentation == read_track(run / "fold-1" / "metrics.json").segmentation
    assert record.metrics[0].folds == ("fold-1",)
    fold = read(run / "splits.json")["folds"][1]
    seen = {*fold["train"], *fold["val"]}
    assert len(record.seen_images) == len(seen)
    assert record.training_cases is not None
    assert record.training_cases.count == len(seen)
    assert f"{len(seen)} training cases are kept as class, data set and embedding" in said
    stem, other = (next(iter(names)).removeprefix("folder/") for names in (sorted(seen), sorted(fold["test"])))
    words = [str(data / "images" / f"{name}.png") for name in (stem, other)]
    assert main(["predict", *words, "--model", str(out), "--out", str(tmp_path / "out")]) == 0
    first, second = (read(tmp_path / "out" / name / "prediction.json") for name in (stem, other))
    assert len(first["similar_cases"]) == len(second["similar_cases"]) == 5
    assert first["similar_cases"][0]["source"] == "folder"
    assert first["similar_cases"][0]["distance"] < 0.5 < first["similar_cases"][1]["distance"]
    assert "seen in training" in first["remarks"]
    assert "seen in training" not in second.get("remarks", [])


def test_wrong_words(run: Path, package: Path, tmp_path: Path, capsys):
    out = str(tmp_path / "m.bustle")
    before = (package / "package.json").read_bytes()
    assert "exists already; choose another --out" in error_of(capsys, ["export", str(run), "--out", str(package)])
    assert (package / "package.json").read_bytes() == before
    assert "absent: is not a folder" in error_of(capsys, ["export", str(tmp_path / "absent"), "--out", out])
    assert "is not a run folder" in error_of(capsys, ["export", str(package), "--out", out])
    foreign = ["export", str(run / "fold-0"), "--out", out, "--with-cases", "phantom:?cases=6&seed=0"]
    assert main(foreign) == 2
    assert "0 of these cases trained the model, too few to compare with" in capsys.readouterr().err
    unfinished = Path(shutil.copytree(run, tmp_path / "unfinished"))
    (unfinished / "fold-0" / "metrics.json").unlink()
    words = ["export", str(unfinished / "fold-0"), "--out", out]
    assert "fold-0: is not finished; finish its training with --resume" in error_of(capsys, words)
    assert not Path(out).exists()


def test_the_documented_python_runs(package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "rmtl.bustle").symlink_to(package)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(page), "exec"), {})
    assert "malignant" in capsys.readouterr().out


def test_nothing_that_is_handed_on_tells_where_and_on_which_machine_it_was_made(run: Path, package: Path, data: Path):
    files = [file for folder in (run, package) for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 20
    for place in (run.parent, data):
        assert [file for file in files if str(place).encode() in file.read_bytes()] == []
    host = socket.gethostname()
    names = [part for file in files for part in file.relative_to(run.parent).name.split(".")]
    assert host not in names


def test_run_page_evaluation_and_card_say_what_the_model_was_trained_on(
    run: Path, package: Path, data: Path, tmp_path: Path
):
    record = Package(package).record
    together = [part for part in read_run_provenance(RunLayout(run).provenance).taught if part.fold is None]
    assert record.training is not None
    assert list(record.training.taught) == together
    (part,) = together
    said = trained_on([part], networks=2, volumes=False)
    assert f"{part.cases} images of folder (" in said
    assert "Each of the 2 networks left out" in said
    main(["evaluate", "--model", str(package), "--data", f"folder:{data}", "--out", str(tmp_path / "scored")])
    predictions = str(tmp_path / "scored" / "predictions")
    main(["evaluate", "--predictions", predictions, "--data", f"folder:{data}", "--out", str(tmp_path / "foreign")])
    for page in (run / "report.html", tmp_path / "scored" / "report.html", package / "MODEL_CARD.md"):
        assert said in page.read_text(encoding="utf-8")
    own = [part for part in read_run_provenance(RunLayout(run).provenance).taught if part.fold == 1]
    page = (run / "fold-1" / "report.html").read_text(encoding="utf-8")
    assert trained_on(own, networks=1, volumes=False) in page
    assert FOREIGN in (tmp_path / "foreign" / "report.html").read_text(encoding="utf-8")
