from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.recipe import load_recipe, save_recipe
from bustle.models import zoo


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny, untrained RMTL-Net with one finished fold."""
    run = tmp_path_factory.mktemp("trained") / "run"
    recipe = load_recipe("rmtl_net", overrides=["model.encoder_weights=null", "data.size=[64, 64]"])
    tiny = to_mapping(zoo.get("rmtl_net").tiny)
    recipe = replace(recipe, model=replace(recipe.model, config=tiny))
    save_recipe(recipe, run / "recipe.yaml")
    torch.manual_seed(0)
    network = zoo.build("rmtl_net", tiny, in_channels=3, class_count=2)
    (run / "fold-0").mkdir()
    save_file(network.state_dict(), run / "fold-0" / "best.safetensors")
    (run / "fold-0" / "metrics.json").write_text("{}")
    return run


def speckle(height: int, width: int, *, colours: int = 1) -> np.ndarray:
    white = np.random.default_rng(height).integers(0, 200, (height, width, colours), dtype=np.uint8)
    return cv2.GaussianBlur(white, (0, 0), 1.5).squeeze()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(speckle(32, 32)).save(folder / "smallest.png")
    Image.fromarray(speckle(200, 301, colours=3)).save(folder / "colour.jpg")
    Image.fromarray(speckle(150, 90, colours=4)).save(folder / "transparent.png")
    Image.fromarray(speckle(99, 100)).save(folder / "old.bmp")
    Image.fromarray(speckle(70, 60).astype(np.uint16) * 250).save(folder / "deep.tiff")
    Image.fromarray(speckle(80, 60)).convert("P").save(folder / "palette.png")
    return folder


SIZES = {
    "smallest": (32, 32),
    "colour": (200, 301),
    "transparent": (150, 90),
    "old": (99, 100),
    "deep": (70, 60),
    "palette": (80, 60),
}


def predict(*words: object) -> int:
    return main(["predict", *map(str, words)])


def test_every_kind_of_image_at_its_own_size(run_folder: Path, scans: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert predict(scans, "--model", run_folder, "--out", out, "--save-probability", "--device", "cpu") == 0
    assert {folder.name for folder in out.iterdir()} == set(SIZES)
    for name, size in SIZES.items():
        record = json.loads((out / name / "prediction.json").read_text())
        assert record["image_size"] == list(size)
        assert set(record["class_probabilities"]) == {"benign", "malignant"}
        assert sum(record["class_probabilities"].values()) == pytest.approx(1)
        assert record["provenance"]["recipe"] == "rmtl_net"
        for picture, shape in (("mask", size), ("probability", size), ("overlay", (*size, 3))):
            pixels = cv2.imread(str(out / name / f"{picture}.png"), cv2.IMREAD_UNCHANGED)
            assert pixels.shape == shape, (name, picture)
        mask = cv2.imread(str(out / name / "mask.png"), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) <= {0, 255}
        assert record["mask_area"] == (mask > 0).sum()
    said = capsys.readouterr()
    assert "6 of 6 images predicted" in said.out
    assert said.out.count("\n") == 7
    assert "predict: 100%" in said.err


def test_a_very_large_image(run_folder: Path, tmp_path: Path):
    cv2.imwrite(str(tmp_path / "large.png"), np.tile((np.arange(4096) // 16).astype(np.uint8), (4096, 1)))
    assert predict(tmp_path / "large.png", "--model", run_folder / "fold-0", "--out", tmp_path / "out") == 0
    assert cv2.imread(str(tmp_path / "out" / "large" / "mask.png"), cv2.IMREAD_UNCHANGED).shape == (4096, 4096)
    assert not (tmp_path / "out" / "large" / "probability.png").exists()


def test_broken_files_are_reported_and_the_rest_is_done(run_folder: Path, scans: Path, tmp_path: Path, capsys):
    whole = (scans / "old.bmp").read_bytes()
    (scans / "old.bmp").write_bytes(whole[:200])
    (scans / "empty.png").touch()
    out = tmp_path / "out"
    assert predict(scans, "--model", run_folder, "--out", out) == 2
    said = capsys.readouterr()
    skipped = [line for line in said.err.splitlines() if "skipped" in line]
    assert len(skipped) == 2
    assert "empty.png: is empty" in skipped[0]
    assert "old.bmp: " in skipped[1]
    assert "2 of 7 images could not be read" in said.err
    assert "Traceback" not in said.err
    assert "5 of 7 images predicted" in said.out
    assert {folder.name for folder in out.iterdir()} == set(SIZES) - {"old"}


def test_two_runs_give_the_same_files(run_folder: Path, scans: Path, tmp_path: Path):
    for out in ("first", "second"):
        assert predict(scans / "*.png", "--model", run_folder, "--out", tmp_path / out, "--save-probability") == 0
    first = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*"))
    assert len(first) == 3 * 5
    for path in first:
        assert (tmp_path / "first" / path).read_bytes() == (tmp_path / "second" / path).read_bytes()


def one_line(capsys: pytest.CaptureFixture, said: str) -> None:
    lines = [line for line in capsys.readouterr().err.splitlines() if line and "image/s" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("bustle: error: ")
    assert said in lines[0]


def test_wrong_inputs_end_before_any_work(run_folder: Path, scans: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    assert predict(scans, tmp_path / "absent.png", "--model", run_folder, "--out", out) == 2
    one_line(capsys, "absent.png: does not exist; check the path")
    assert predict(scans / "*.gif", "--model", run_folder, "--out", out) == 2
    one_line(capsys, "no image matches")
    assert predict(scans, "--model", tmp_path, "--out", out) == 2
    one_line(capsys, "is not a run folder (no recipe.yaml)")
    for options, said in (
        (("--explain", "a.png"), "'a.png' is not of cam, gradcam, integrated_gradients, uncertainty; inputs stand"),
        (
            ("--spacing", "0.08", "a.png"),
            "'a.png' is no size in mm; give numbers above 0; inputs stand before --spacing",
        ),
    ):
        with pytest.raises(SystemExit):
            predict(*options, "--out", out)
        assert said in capsys.readouterr().err
    assert not out.exists()


def test_an_output_folder_that_is_a_file(run_folder: Path, scans: Path, tmp_path: Path, capsys):
    (tmp_path / "out").write_text("kept")
    assert predict(scans, "--model", run_folder, "--out", tmp_path / "out") == 2
    one_line(capsys, "a file is in the way of this folder")
    assert (tmp_path / "out").read_text() == "kept"


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.EROFS, "choose a folder that you may write to"), (errno.ENOSPC, "no space left on the disk")],
)
def test_a_read_only_or_full_disk(run_folder: Path, scans: Path, tmp_path: Path, capsys, monkeypatch, code, said):
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("tempfile.mkstemp", fail)
    assert predict(scans, "--model", run_folder, "--out", tmp_path / "out") == 2
    one_line(capsys, said)


def test_an_option_that_is_missing(scans: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        predict(scans)
    assert ended.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_real_image(run_folder: Path, real_data: Path, tmp_path: Path):
    image = real_data / "busi" / "Dataset_BUSI_with_GT" / "benign" / "benign (1).png"
    assert predict(image, "--model", run_folder, "--out", tmp_path / "out") == 0
    mask = cv2.imread(str(tmp_path / "out" / "benign (1)" / "mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == cv2.imread(str(image)).shape[:2]


def test_the_documented_python_runs(run_folder: Path, tmp_path: Path, monkeypatch, capsys):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "predict.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "scans").mkdir()
    Image.fromarray(speckle(80, 90)).save(tmp_path / "scans" / "case1.png")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "rmtl").symlink_to(run_folder)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(page), "exec"), {})
    assert "benign" in capsys.readouterr().out


def test_a_page_shows_every_picture_that_was_predicted_and_is_gone_after_the_next_command(
    run_folder: Path, scans: Path, tmp_path: Path, capsys
):
    out, odd = tmp_path / "out", scans / "50% #1.png"
    Image.fromarray(speckle(64, 80)).save(odd)
    (scans / "broken.png").write_text("no picture")
    words = (scans, "--model", run_folder, "--out", out, "--device", "cpu")
    assert predict(*words, "--report") == 2
    assert f"Page: {out.resolve() / 'answers.html'}" in capsys.readouterr().out
    page = (out / "answers.html").read_text(encoding="utf-8")
    for name in (*SIZES, "50%25%20%231"):
        assert f'src="{name}/overlay.png"' in page
        assert f'href="{name}/prediction.json"' in page
    assert "Not predicted:" in page
    assert "broken.png" in page
    assert predict(*words, "--resume", "--report") == 2
    assert (out / "answers.html").read_text(encoding="utf-8") == page
    assert predict(odd, *words[1:]) == 0
    assert not (out / "answers.html").exists()
