"""`bustle predict --explain` on a package that offers class activation maps."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.inference.hand_made_package import write_package

import bustle
from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe, save_recipe
from bustle.io.raster import write_png
from bustle.models import zoo


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("package") / "hand.bustle", with_class_maps=True)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    image = np.full((80, 90), 20, np.uint8)
    image[20:60, 20:60] = 235
    write_png(tmp_path / "scan.png", image)
    return tmp_path / "scan.png"


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith("explanation")}


def test_the_best_method_is_the_default_and_others_are_named(scan: Path, package: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(package), "--out", str(out)]
    assert main([*command, "--explain"]) == 0
    assert written(out / "scan") == {"explanation_cam.png", "explanation_cam_map.png"}
    assert main([*command, "--explain", "uncertainty"]) == 0
    assert written(out / "scan") == {"explanation_uncertainty.png", "explanation_uncertainty_map.png"}
    record = json.loads((out / "scan" / "prediction.json").read_text())
    assert [found["method"] for found in record["explanations"]] == ["uncertainty"]


def test_two_frames_of_a_clip_are_explained_and_it_is_on_the_page(package: Path, tmp_path: Path):
    clip, out = tmp_path / "sweep", tmp_path / "out"
    for number, (edge, level) in enumerate([(44, 200), (60, 160), (52, 220)]):
        image = np.full((80, 90), 20, np.uint8)
        image[20:edge, 20:edge] = level
        write_png(clip / f"frame-{number}.png", image)
    command = ["predict", f"frames:{clip}", "--model", str(package), "--out", str(out), "--report"]
    assert main([*command, "--explain", "cam"]) == 0
    record = json.loads((out / "sweep" / "clip.json").read_text())["answer"]
    (lesion,) = record["lesions"]
    shown = {f"frame-{record['verdict']['frame']}", f"frame-{lesion['best']['frame']}"}
    assert shown == {"frame-2", "frame-1"}
    assert {path.parent.name for path in out.glob("sweep/*/explanation_cam.png")} == shown
    page = (out / "answers.html").read_text(encoding="utf-8")
    for file in ("outlines.webp", "contact_sheet.png", "frame-1/explanation_cam.png", "frame-2/overlay.png"):
        assert f'src="sweep/{file}"' in page
    assert "seen in</dt><dd>3 of 3 frames" in page
    assert main(command) == 0
    assert not list(out.glob("sweep/frame-*"))


def test_resume_makes_an_explanation_that_is_missing_and_keeps_one_that_is_there(
    scan: Path, package: Path, tmp_path: Path
):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(package), "--out", str(out)]
    assert main(command) == 0
    record = out / "scan" / "prediction.json"
    resumed = [*command, "--resume", "--explain", "cam"]

    def is_made_again() -> bool:
        before = record.stat().st_mtime_ns
        assert main(resumed) == 0
        return record.stat().st_mtime_ns > before

    assert is_made_again()
    assert not is_made_again()
    (out / "scan" / "explanation_cam.png").unlink()
    assert is_made_again()
    (out / "scan" / "explanation_cam_map.png").write_bytes(b"half of it")
    assert is_made_again()
    resumed.remove("--explain")
    resumed.remove("cam")
    assert not is_made_again(), "more than what is asked for is kept"
    assert "explanation_cam.png" in written(out / "scan")


def test_a_method_that_the_model_does_not_offer_ends_before_any_work(scan: Path, tmp_path: Path, capsys):
    without = write_package(tmp_path / "hand.bustle")
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(without), "--out", str(out), "--explain", "cam"]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    said = "this model offers no cam; it offers uncertainty; gradients need the run of the package"
    assert line == f"bustle: error: {said}"
    assert not out.exists()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("trained") / "run", "sc_net")


def made_run(run: Path, name: str) -> Path:
    """A run of a tiny, untrained network with one finished fold."""
    recipe = load_recipe(name, overrides=["model.encoder_weights=null", "data.size=[64, 64]"])
    tiny = to_mapping(zoo.get(recipe.model.id).tiny)
    save_recipe(replace(recipe, model=replace(recipe.model, config=tiny)), run / "recipe.yaml")
    torch.manual_seed(0)
    classes = len(recipe.data.classes)
    network = zoo.build(recipe.model.id, tiny, in_channels=recipe.data.channels, class_count=classes)
    (run / "fold-0").mkdir()
    save_file(network.state_dict(), run / "fold-0" / "best.safetensors")
    (run / "fold-0" / "metrics.json").write_text("{}")
    return run


def test_a_run_can_follow_its_gradients(scan: Path, run_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(run_folder), "--out", str(out), "--device", "cpu", "--explain"]
    assert main([*command, "gradcam", "integrated_gradients", "cam"]) == 0
    record = json.loads((out / "scan" / "prediction.json").read_text())
    gradcam, gradients, cam = record["explanations"]
    assert gradcam["low"] == 0
    assert gradients["low"] == -gradients["high"] < 0
    assert cam["class_name"] == gradcam["class_name"] == record["decision"]
    maps = [
        cv2.imread(str(out / "scan" / found["file"]), cv2.IMREAD_UNCHANGED).astype(float) for found in (gradcam, cam)
    ]
    positive = np.clip(maps[1] - 65535 / 2, 0, None)
    assert np.corrcoef(maps[0].ravel(), positive.ravel())[0, 1] > 0.99, "its head is linear on a mean"


def test_a_package_that_is_not_installed_is_told_before_any_work(
    scan: Path, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setitem(sys.modules, "captum", None)
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(run_folder), "--out", str(out), "--device", "cpu"]
    assert main([*command, "--explain", "integrated_gradients"]) == 2
    said = "integrated gradients need captum, which is not installed; pip install 'bustle[explain]'"
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_evaluation_checks_the_maps_of_a_run(run_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    data = "phantom:?cases=6&seed=0&size=64"
    command = ["evaluate", "--model", str(run_folder), "--data", data, "--out", str(out), "--device", "cpu"]
    assert main([*command, "--explain"]) == 0
    checked = json.loads((out / "explanation.json").read_text())
    assert checked["n_cases"] == 6
    estimates = checked["methods"]["cam"]["estimates"]
    assert estimates["deletion"]["n"] == estimates["likeness_to_shuffled"]["n"] == 6
    assert abs(estimates["likeness_to_shuffled"]["mean"]) < 0.9
    assert len(checked["methods"]["cam"]["deletion"]) == len(checked["fractions"]) == 11
    assert "Explanation maps" in (out / "report.html").read_text()
    assert main(command) == 0
    assert not (out / "explanation.json").exists(), "of an earlier call"


def test_the_uncertainty_of_a_package_is_checked_against_its_own_mistakes(tmp_path: Path):
    model, out = write_package(tmp_path / "hand.bustle"), tmp_path / "out"
    data = ["--data", "phantom:?cases=4&seed=0&size=64", "--out", str(out)]
    assert main(["evaluate", "--model", str(model), *data, "--explain"]) == 0  # it offers nothing else
    checked = json.loads((out / "explanation.json").read_text())
    assert checked["methods"] == {}
    assert checked["outline"]["error_auc"]["n"] == 4
    assert 0 <= checked["outline"]["error_auc"]["mean"] <= 1
    text = (out / "report.html").read_text()
    assert "Area under the ROC curve for wrong pixels" in text
    assert "Deletion and insertion count" not in text


def test_what_cannot_be_checked_is_told(run_folder: Path, tmp_path: Path, capsys):
    data = ["--data", "phantom:?cases=2&seed=0&size=64", "--out", str(tmp_path / "out")]
    assert main(["evaluate", "--predictions", str(tmp_path), *data, "--explain"]) == 2
    assert "--explain belongs to --model; leave it out" in capsys.readouterr().err
    with pytest.raises(InputError, match="what a network's own maps show is not checked"):
        bustle.evaluate(run_folder, data=data[1:2], out=tmp_path / "out", explain=["channel"])
    assert not (tmp_path / "out").exists()


def test_an_unknown_method_names_the_known_ones(scan: Path, package: Path, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(scan), "--model", str(package), "--out", str(tmp_path / "o"), "--explain", "magic"])
    assert caught.value.code == 2
    assert "cam" in capsys.readouterr().err


def test_a_run_writes_the_maps_that_its_network_makes_by_itself(scan: Path, tmp_path: Path, capsys, package: Path):
    """CTG-Net with gland masks has three coarse channels; the fine map has two."""
    run = made_run(tmp_path / "run", "ctg_net/gland")
    out = tmp_path / "out"
    command = ["predict", str(scan), "--out", str(out), "--device", "cpu", "--save-channels"]
    assert main([*command, "--model", str(run), "--report"]) == 0
    record = json.loads((out / "scan" / "prediction.json").read_text())
    found = {entry["channel"]: entry for entry in record["explanations"]}
    assert list(found) == ["mask_lesion", "mask_background", "coarse_gland", "coarse_lesion", "coarse_background"]
    maps = {
        name: cv2.imread(str(out / "scan" / entry["file"]), cv2.IMREAD_UNCHANGED) / 65535 * entry["high"]
        for name, entry in found.items()
    }
    coarse = sum(maps[name] for name in found if name.startswith("coarse"))
    assert coarse.shape == (80, 90)
    assert np.abs(coarse - 1).max() < 1e-3, "a softmax over the three"
    assert "map of the network: coarse_gland" in (out / "answers.html").read_text()
    before = (out / "scan" / "prediction.json").stat().st_mtime_ns
    assert main([*command, "--model", str(run), "--resume"]) == 0
    assert (out / "scan" / "prediction.json").stat().st_mtime_ns == before
    (out / "scan" / "channel_coarse_gland.png").unlink()
    assert main([*command, "--model", str(run), "--resume"]) == 0
    assert (out / "scan" / "channel_coarse_gland.png").exists()
    assert main([word for word in command if word != "--save-channels"] + ["--model", str(run)]) == 0
    assert not list((out / "scan").glob("channel_*"))
    capsys.readouterr()
    assert main([*command, "--model", str(package)]) == 2
    assert "a package keeps no maps of its network but the outline" in capsys.readouterr().err


@pytest.mark.usefixtures("without_plots")
def test_the_page_of_an_evaluation_shows_the_maps_beside_the_outlines(tmp_path: Path):
    out, run = tmp_path / "out", made_run(tmp_path / "run", "rmtl_net")
    data = ["--data", "phantom:?cases=2&seed=0&size=64", "--out", str(out), "--device", "cpu"]
    assert main(["evaluate", "--model", str(run), *data, "--save-channels"]) == 0
    page = (out / "report.html").read_text()
    titles = ["mask_tumour", *(f"regional_attention_{region}" for region in ("tumour", "peritumoral", "background"))]
    places = [page.index(f"<figcaption>{title}</figcaption>") for title in titles]
    assert places == sorted(places)
