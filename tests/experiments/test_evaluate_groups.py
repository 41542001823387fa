"""What the intervals of `bustle evaluate` resample is what `--groups` says, whatever a cache happens to hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.cli.main import main
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.sources import open_sources
from bustle.evaluation.case_table import read_cases
from bustle.experiments.resampling_groups import resampling_groups
from bustle.io.raster import write_png

RULES = ("patient", "file", "duplicates")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A cache folder that nothing was written to."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("BUSTLE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Eight phantoms of unnamed patients, an equal copy of the first and a cropped one of the last."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantom_set(folder, cases=8, seed=3, size=128, workers=1)
    (folder / "labels.csv").unlink()
    first, *_, last = sorted((folder / "images").iterdir())
    for part in ("images", "masks", "gland"):
        shutil.copy(folder / part / first.name, folder / part / "copy.png")
        image = cv2.imread(str(folder / part / last.name), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        write_png(folder / part / "cropped.png", made.crop(image.astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def predictions(phantoms, tmp_path_factory):
    """Masks of another tool: those of the phantoms, moved by a few pixels."""
    folder = tmp_path_factory.mktemp("masks")
    for number, path in enumerate(sorted((phantoms / "masks").iterdir())):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        write_png(folder / path.name, np.roll(mask > 0, number, axis=1))
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def evaluated(predictions: Path, spec: str, out: Path, *options: str) -> dict[str, bytes]:
    shutil.rmtree(out, ignore_errors=True)
    command = ["evaluate", "--predictions", str(predictions), "--data", spec, "--out", str(out), *options]
    assert main(command) == 0
    return files_of(out)


def audited(spec: str, out: Path) -> Path:
    assert main(["data", "audit", spec, "--out", str(out)]) == 0
    return out / "audit.json"


def check_that_the_cache_changes_nothing(predictions: Path, spec: str, folder: Path, cache: Path) -> dict[str, Any]:
    """Every rule with an empty cache and with one that an audit filled; returns `metrics.json` by rule."""
    empty = {}
    for rule in RULES:
        shutil.rmtree(cache, ignore_errors=True)
        empty[rule] = evaluated(predictions, spec, folder / "out", "--groups", rule)
    shutil.rmtree(cache)
    audited(spec, folder / "audit")
    assert list((cache / "related-frames").iterdir())
    for rule, files in empty.items():
        assert evaluated(predictions, spec, folder / "out", "--groups", rule) == files
        assert files.keys() == {"cases.csv", "metrics.json", "reliability.json", "report.html"}
    return {rule: json.loads(files["metrics.json"]) for rule, files in empty.items()}


def test_an_empty_and_a_full_cache_give_the_same_bytes(phantoms, predictions, empty_cache, tmp_path):
    check_that_the_cache_changes_nothing(predictions, f"folder:{phantoms}", tmp_path, empty_cache)


def test_the_default_is_the_patient_and_it_is_said(phantoms, predictions, tmp_path, capsys):
    spec = f"folder:{phantoms}"
    audited(spec, tmp_path / "audit")
    files = evaluated(predictions, spec, tmp_path / "out")
    metrics = json.loads(files["metrics.json"])
    assert (metrics["groups"], metrics["resampled"], metrics["n_groups"]) == ("patient", "files", 10)
    assert any("10 images of unknown patients" in warning for warning in metrics["warnings"])
    assert "intervals: 10 groups resampled (files; groups: patient)" in capsys.readouterr().out
    assert b"whole groups (files); groups: patient" in files["report.html"]


def test_copies_are_kept_together_where_that_is_asked_for(phantoms, predictions, tmp_path, capsys):
    spec = f"folder:{phantoms}"
    metrics = json.loads(evaluated(predictions, spec, tmp_path / "out", "--groups", "duplicates")["metrics.json"])
    assert metrics["groups"] == "duplicates"
    assert metrics["resampled"] == "patients and near-duplicate images"
    assert metrics["warnings"] == []
    assert "(patients and near-duplicate images; groups: duplicates)" in capsys.readouterr().out
    group_of = {row.case_id: row.group_id for row in read_cases(tmp_path / "out" / "cases.csv")}
    assert metrics["n_groups"] == len(set(group_of.values())) <= 8
    first, *_, last = sorted(set(group_of) - {"folder/copy", "folder/cropped"})
    assert group_of["folder/copy"] == group_of[first] != group_of[last] == group_of["folder/cropped"]


def test_an_audit_gives_the_groups_that_were_found_in_it(phantoms, predictions, tmp_path):
    spec = f"folder:{phantoms}"
    found = evaluated(predictions, spec, tmp_path / "found", "--groups", "duplicates")
    taken = evaluated(predictions, spec, tmp_path / "taken", "--groups", str(audited(spec, tmp_path / "audit")))
    assert taken["cases.csv"] == found["cases.csv"]
    metrics, same = json.loads(taken["metrics.json"]), json.loads(found["metrics.json"])
    assert metrics.pop("groups") == "audit"
    assert same.pop("groups") == "duplicates"
    assert metrics == same


def test_groups_that_cannot_be_had_end_in_one_line(phantoms, predictions, tmp_path, capsys):
    other = tmp_path / "other"
    write_phantom_set(other, cases=2, seed=9, workers=1)
    audit = audited(f"folder:{other}", tmp_path / "audit")
    splits = tmp_path / "splits.json"
    splits.write_text('{"groups": {}}')
    command = ["evaluate", "--predictions", str(predictions), "--data", f"folder:{phantoms}"]
    for groups, complaint in (
        ("patients", "--groups 'patients' is neither a rule nor a file; give patient, file, duplicates or the audit"),
        (str(splits), "splits.json: is no audit of this version"),
        (str(audit), "audit.json: does not know 8 of 10 cases, such as 'folder/copy'"),
    ):
        capsys.readouterr()
        assert main([*command, "--out", str(tmp_path / "out"), "--groups", groups]) == 2
        assert complaint in capsys.readouterr().err.strip().splitlines()[-1]


def test_patients_where_they_are_known_and_files_where_not():
    cases = [made.memory_case(str(number), patient=patient) for number, patient in enumerate(["a", "a", None, "b"])]
    by_patient = resampling_groups(cases)
    assert list(by_patient.group_of.values()) == ["made/0", "made/0", "made/2", "made/3"]
    assert by_patient.meaning == "patients, files of unknown patients alone"
    assert "1 images of unknown patients" in by_patient.warnings[0]
    known = resampling_groups([case for case in cases if case.patient_id])
    assert (known.meaning, known.warnings) == ("patients", ())
    by_file = resampling_groups(cases, rule="file")
    assert len(set(by_file.group_of.values())) == 4
    assert by_file.warnings == ("the intervals treat the images of each of 2 patients as independent",)


@pytest.mark.usefixtures("without_plots")
def test_real_images_with_copies(real_data: Path, empty_cache, tmp_path: Path):
    """Two copies of one BUSI frame, `benign (4)` and `benign (321)`, among others."""
    names = ("benign (4)", "benign (321)", "benign (100)", "malignant (3)", "malignant (7)")
    for name in names:
        label = name.split()[0]
        for file in (real_data / "busi" / "Dataset_BUSI_with_GT" / label).glob(f"{name}*.png"):
            target = tmp_path / "busi" / label / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    spec = f"busi:{tmp_path / 'busi'}"
    cases = open_sources([spec]).cases
    assert len(cases) == len(names)
    for case in cases:
        mask = case.load().lesion_mask
        assert mask is not None
        write_png(tmp_path / "masks" / f"{case.case_id}.png", np.roll(mask > 0, 3, axis=0))
    metrics = check_that_the_cache_changes_nothing(tmp_path / "masks", spec, tmp_path, empty_cache)
    assert {rule: found["n_groups"] for rule, found in metrics.items()} == {"patient": 5, "file": 5, "duplicates": 4}
