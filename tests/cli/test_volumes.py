"""Volumes from the command line: trained, searched, looked at where told, scored on both tracks, exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bustle.cli.main import main
from bustle.core.run_layout import RunLayout
from bustle.core.types import Geometry
from bustle.io.volume import read_header, read_instance_volume, write_volume

pytestmark = pytest.mark.usefixtures("without_plots")

SIZE, SPACING = (16, 64, 36), (2.0, 0.5, 1.0)
CUBIC = (32, 32, 36)
"""The size on voxels of 1 mm."""

TINY = [
    "--set",
    "data.size=[32,32,32]",
    "model.config.width=4",
    "training.epochs=4",
    "training.batch_size=2",
    "model.refinements=1",
    "--device",
    "cpu",
]


def write_volumes(folder: Path, *, count: int) -> Path:
    """Bright balls in dim speckle: large ones are malignant. Two volumes of each patient, in oblique coordinates."""
    rng = np.random.default_rng(0)
    turn = np.radians(20)
    direction = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    geometry = Geometry(SIZE, spacing=SPACING, origin=(5.0, -3.0, 12.0), direction=tuple(map(float, direction)))
    axes = np.meshgrid(*[np.arange(n) * s for n, s in zip(SIZE, SPACING, strict=True)], indexing="ij")
    rows = ["case_id,label,patient_id"]
    for number in range(count):
        malignant = number // 2 % 2 == 1
        centre = rng.uniform((11, 11, 11), (21, 21, 25))
        radius = 8.0 if malignant else 5.0
        lesion = sum((axis - place) ** 2 for axis, place in zip(axes, centre, strict=True)) < radius**2
        speckle = ndimage.gaussian_filter(rng.normal(0, 1, SIZE), 1)
        voxels = 60 + 15 * speckle / speckle.std() + 120 * lesion
        write_volume(folder / "images" / f"v{number}.nrrd", voxels.clip(0, 255).astype(np.uint8), geometry=geometry)
        write_volume(folder / "masks" / f"v{number}.nrrd", lesion.astype(np.uint8), geometry=geometry)
        rows.append(f"v{number},{'malignant' if malignant else 'benign'},p{number // 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_volumes(tmp_path_factory.mktemp("volumes") / "data", count=8)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    words = ["train", "cms_vnet_iter_cpu", "--data", f"folder:{data}", "--track", "published", "--folds", "2"]
    assert main([*words, "--fold", "0", "--out", str(out), *TINY]) == 0
    return out


def test_a_run_scores_a_model_that_was_told_and_one_that_had_to_search(run: Path):
    fold = run / "fold-0"
    published = json.loads((fold / "metrics.json").read_text())
    strict = json.loads((fold / "metrics_strict.json").read_text())
    assert published["track"] == "published"
    rows = {row["case_id"]: row for row in csv.DictReader((fold / "cases.csv").open())}
    assert len(rows) == 4
    assert all(0 < float(row["hd95_mm"]) < 60 for row in rows.values()), "below the volume's diagonal"
    assert published["segmentation"]["dice"]["mean"] > 0.3, "a bright ball in the middle of the patch"
    assert "lesion_detection" in strict
    assert "lesion_detection" not in published
    summary = json.loads((run / "summary.json").read_text())
    pooled = summary["companion"]["pooled"]["lesion_detection"]
    assert pooled["n_lesions"] == strict["lesion_detection"]["n_lesions"] == 4
    assert "FROC curve (strict)" in (run / "report.html").read_text()
    case = next(iter(rows))
    searched, told = fold / "predictions" / case, fold / "predictions_located" / case
    for folder in (searched, told):
        assert {path.name for path in folder.iterdir()} == {
            "mask.nrrd",
            "network_mask.nrrd",
            "overlay.png",
            "prediction.json",
        }
        header = read_header(folder / "mask.nrrd")
        assert header.size == SIZE
        assert header.spacing == pytest.approx(SPACING)
        assert header.origin == pytest.approx((5.0, -3.0, 12.0), abs=1e-5)
        assert read_header(folder / "network_mask.nrrd").size == CUBIC
        record = json.loads((folder / "prediction.json").read_text())
        parts = read_instance_volume(folder / "mask.nrrd")
        drawn = [candidate["voxels"] for candidate in record["candidates"]]
        assert drawn == np.bincount(parts.ravel(), minlength=len(drawn) + 1)[1:].tolist()
    assert len(json.loads((told / "prediction.json").read_text())["candidates"]) == 1
    assert 'class="wide"' in (fold / "report.html").read_text(), "cuts through the volumes"


def test_a_fold_goes_on_where_it_stopped(run: Path, data: Path, capsys: pytest.CaptureFixture[str]):
    """The volume whose record is lost is predicted again, the others are not touched."""
    folders = sorted((run / "fold-0" / "predictions" / "folder").iterdir())
    lost, kept = folders[0], folders[1]
    (lost / "prediction.json").unlink()
    RunLayout(run).fold(0).main.metrics.unlink()
    before = (kept / "prediction.json").stat().st_mtime_ns
    words = ["train", "cms_vnet_iter_cpu", "--data", f"folder:{data}", "--track", "published", "--folds", "2"]
    assert main([*words, "--fold", "0", "--out", str(run), "--resume", *TINY]) == 0
    assert (lost / "prediction.json").exists()
    assert (kept / "prediction.json").stat().st_mtime_ns == before


def test_files_are_searched_or_looked_at_where_told(run: Path, data: Path, tmp_path: Path, capsys):
    volume = data / "images" / "v0.nrrd"
    words = ["predict", str(volume), "--model", str(run), "--out", str(tmp_path / "out")]
    assert main([*words, "--save-probability"]) == 0
    assert "v0: " in capsys.readouterr().out
    assert read_header(tmp_path / "out" / "v0" / "probability.nrrd").size == SIZE
    record = tmp_path / "out" / "v0" / "prediction.json"
    before = record.stat().st_mtime_ns
    assert main([*words, "--resume"]) == 0
    assert record.stat().st_mtime_ns == before
    assert main([*words, "--centre", "10", "40", "20", "--resume"]) == 0
    assert json.loads(record.read_text())["centre"] == [10, 40, 20], "the searched prediction is not taken for it"
    assert len(json.loads(record.read_text())["candidates"]) == 1
    assert main([*words, "--centre", "100", "40", "20"]) == 2
    assert "does not lie in the volume" in capsys.readouterr().err


def test_a_header_that_says_the_wrong_spacing(run: Path, data: Path, tmp_path: Path, capsys):
    words = ["predict", str(data / "images" / "v0.nrrd"), "--model", str(run), "--out", str(tmp_path / "out")]
    assert main([*words, "--centre", "5", "5", "5", "--spacing", "1", "0.25", "0.5"]) == 0
    assert read_header(tmp_path / "out" / "v0" / "mask.nrrd").spacing == (1, 0.25, 0.5)
    assert read_header(tmp_path / "out" / "v0" / "network_mask.nrrd").size == (16, 16, 18), "voxels of 1 mm"
    nameless = tmp_path / "nameless.nrrd"
    header, _, voxels = (data / "images" / "v0.nrrd").read_bytes().partition(b"\n\n")
    kept = [line for line in header.split(b"\n") if not line.startswith((b"space directions", b"spacings"))]
    nameless.write_bytes(b"\n".join(kept) + b"\n\n" + voxels)
    without = ["predict", str(nameless), *words[2:], "--centre", "5", "5", "5"]
    assert main(without) == 2
    assert "states no voxel spacing" in capsys.readouterr().err
    assert main([*without, "--spacing", "1", "0.25", "0.5"]) == 0
    assert read_header(tmp_path / "out" / "nameless" / "mask.nrrd").spacing == (1, 0.25, 0.5)
    assert main([*words, "--spacing", "1", "0.25"]) == 2
    assert "v0.nrrd: has 3 axes, --spacing 2 numbers; give one number" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*words, "--spacing", "0"])
    assert ended.value.code == 2
    assert "'0' is no size in mm; give numbers above 0; inputs stand before --spacing" in capsys.readouterr().err


def test_an_image_is_refused_by_a_model_for_volumes(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from bustle.io.raster import write_png

    write_png(tmp_path / "flat.png", np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    words = ["predict", str(tmp_path / "flat.png"), "--model", str(run), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "flat.png: is an image, the model takes volumes" in capsys.readouterr().err


@pytest.mark.full
def test_a_package_predicts_as_its_run(run: Path, data: Path, tmp_path: Path):
    assert main(["export", str(run), "--out", str(tmp_path / "model.bustle")]) == 0
    volume = str(data / "images" / "v1.nrrd")
    for name, model in (("run", run), ("package", tmp_path / "model.bustle")):
        assert main(["predict", volume, "--model", str(model), "--out", str(tmp_path / name), "--device", "cpu"]) == 0
    masks = [read_instance_volume(tmp_path / name / "v1" / "mask.nrrd") for name in ("run", "package")]
    assert (masks[0] != masks[1]).mean() < 1e-3
