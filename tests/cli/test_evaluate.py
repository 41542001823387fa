"""`bustle evaluate` from the command line, on a data set and predictions in files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from bustle.cli.main import main
from bustle.io.raster import write_png

pytestmark = pytest.mark.usefixtures("module_without_plots")


@pytest.fixture
def scans(tmp_path):
    """Six images in `folder` layout, and masks of another tool that miss one lesion."""
    rng = np.random.default_rng(0)
    lines = ["case_id,label,patient_id,spacing_mm"]
    for index in range(6):
        mask = np.zeros((60, 80), bool)
        mask[10:30, 10 : 30 + index] = True
        write_png(tmp_path / "data" / "images" / f"s{index}.png", rng.integers(0, 255, (60, 80), dtype=np.uint8))
        write_png(tmp_path / "data" / "masks" / f"s{index}.png", mask)
        write_png(tmp_path / "masks" / f"s{index}.png", mask if index else np.zeros_like(mask))
        lines.append(f"s{index},{'malignant' if index % 2 else 'benign'},p{index // 2},0.1")
    (tmp_path / "data" / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def evaluate(scans, *options, data="data"):
    paths = ["--predictions", str(scans / "masks"), "--data", f"folder:{scans / data}", "--out", str(scans / "out")]
    return main(["evaluate", *paths, *options])


def test_scores_the_masks_of_any_tool(scans, capsys):
    assert evaluate(scans) == 0
    printed = capsys.readouterr().out
    metrics = json.loads((scans / "out" / "metrics.json").read_text())
    assert f"{metrics['segmentation']['dice']['mean']:.3f}" in printed
    assert metrics["segmentation"]["dice"]["mean"] == pytest.approx(5 / 6)
    assert metrics["n_groups"] == 3
    assert "report.html" in printed
    assert {path.name for path in (scans / "out").iterdir()} == {
        "cases.csv",
        "metrics.json",
        "reliability.json",
        "report.html",
    }


def test_wrong_input_ends_in_one_line_and_code_2(scans, capsys):
    (scans / "masks" / "s3.png").unlink()
    assert evaluate(scans) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("bustle: error:")
    assert "folder/s3" in error
    assert "--missing as-empty" in error
    assert evaluate(scans, "--missing", "as-empty") == 0
    assert evaluate(scans, "--track", "published") == 2
    assert evaluate(scans, data="nowhere") == 2


@pytest.mark.parametrize("mark", ["recipe.yaml", "checkpoints/last.ckpt"])
def test_a_runs_own_folder_is_left_alone(mark, scans, capsys):
    file = scans / "out" / mark
    file.parent.mkdir(parents=True)
    file.write_text("the run's")
    assert evaluate(scans) == 2
    assert "holds a training run; choose another --out" in capsys.readouterr().err
    assert [path for path in (scans / "out").rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("arguments", [[], ["--model", "a", "--predictions", "b"]])
def test_exactly_one_method_is_scored(arguments, tmp_path):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *arguments, "--data", "folder:x", "--out", str(tmp_path)])
    assert caught.value.code == 2


def test_cases_that_cannot_be_read_are_left_out_of_the_scores_of_other_tools(scans, capsys):
    (scans / "data" / "masks" / "s5.png").write_bytes(b"no picture")
    assert evaluate(scans) == 2
    assert "(case 'folder/s5'); " in capsys.readouterr().err
    assert evaluate(scans, "--skip-damaged") == 0
    assert "warning: 1 of 6 cases cannot be read and are left out: folder/s5" in capsys.readouterr().out
    metrics = json.loads((scans / "out" / "metrics.json").read_text())
    assert metrics["n_cases"] == 5
    assert metrics["segmentation"]["dice"]["mean"] == pytest.approx(4 / 5)


def test_predictions_of_cases_that_are_left_out_are_no_strangers(scans, capsys):
    (scans / "data" / "masks" / "s5.png").write_bytes(b"no picture")
    assert evaluate(scans, "--skip-damaged") == 0
    assert "none of the cases" not in capsys.readouterr().out
    (scans / "masks" / "stranger.png").write_bytes((scans / "masks" / "s1.png").read_bytes())
    assert evaluate(scans, "--skip-damaged") == 0
    assert "1 predictions belong to none of the cases (stranger.png)" in capsys.readouterr().out


def test_a_photograph_on_its_side_beside_an_upright_mask_is_said_and_refused_where_the_sizes_show_it(scans, capsys):
    """The image is used as it is stored, on whose grid the mask must be drawn; a square one does not show it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph = scans / "data" / "images" / "s1.jpg"
    photograph.with_suffix(".png").unlink()
    Image.new("L", (60, 80)).save(photograph, exif=exif)  # the mask has 80 columns and 60 rows
    assert evaluate(scans) == 2
    assert "s1.png" in capsys.readouterr().err
    Image.new("L", (60, 60)).save(photograph, exif=exif)
    for mask in (scans / "data" / "masks" / "s1.png", scans / "masks" / "s1.png"):
        Image.new("L", (60, 60), 255).save(mask)
    assert evaluate(scans) == 0
    assert "s1.jpg says that it lies on its side or head (EXIF orientation 6)" in capsys.readouterr().err
    assert main(["data", "audit", f"folder:{scans / 'data'}", "--out", str(scans / "audit")]) == 0
    findings = json.loads((scans / "audit" / "audit.json").read_text())["findings"]
    assert ["folder/s1"] in [each["case_ids"] for each in findings if each["kind"] == "exif-orientation"]
