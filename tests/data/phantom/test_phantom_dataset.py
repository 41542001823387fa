"""A written phantom set, its round trip through the folder reader, and folders that must be left alone."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from bustle.cli import data_phantom
from bustle.core.errors import InputError
from bustle.data.phantom import dataset
from bustle.data.phantom.cases import phantom_case
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.phantom.plan import plan_case
from bustle.data.sources import open_sources


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "phantom"
    write_phantom_set(out, cases=12, seed=0, size=64)
    return out


def test_layout(written: Path) -> None:
    stems = [plan_case(index, seed=0).stem for index in range(12)]
    for part in ("images", "masks", "gland"):
        assert sorted(path.name for path in (written / part).iterdir()) == sorted(f"{stem}.png" for stem in stems)
    with (written / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["case_id"] for row in rows] == stems
    assert list(rows[0]) == ["case_id", "label", "patient_id", "spacing_mm"]
    for index, row in enumerate(rows):
        plan = plan_case(index, seed=0)
        assert (row["label"], row["patient_id"]) == (plan.patient.label, plan.patient_id)
        assert float(row["spacing_mm"]) == pytest.approx(plan.patient.depth_mm / 64, abs=1e-6)


def test_same_seed_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_phantom_set(tmp_path / "again", cases=12, seed=0, size=64, workers=1)
    assert digests(tmp_path / "again") == digests(written)


def test_folder_reader_gives_the_generated_samples_back(written: Path) -> None:
    collection = open_sources([f"folder:{written}"])
    assert collection.findings == ()
    generated = open_sources(["phantom:?cases=12&seed=0&size=64"])
    by_stem = {case.case_id.split("/")[1]: case for case in collection.cases}
    assert len(by_stem) == 12
    for case in generated.cases:
        stored = by_stem[case.case_id.split("/")[1]]
        assert (stored.label, stored.patient_id) == (case.label, case.patient_id)
        assert stored.has_mask
        assert stored.has_gland
        assert stored.spacing == pytest.approx(case.spacing)
        one, other = stored.load(), case.load()
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(np.asarray(one.lesion_mask), np.asarray(other.lesion_mask))
        np.testing.assert_array_equal(np.asarray(one.gland_mask), np.asarray(other.gland_mask))
        assert one.lesion_mask is not None
        assert one.lesion_mask.dtype == np.uint8


def test_masks_are_0_255_for_one_lesion_and_numbered_for_several(tmp_path: Path) -> None:
    two = next(index for index in range(500) if len(plan_case(index, seed=0).patient.lesion_kinds) == 2)
    one = next(index for index in range(500) if len(plan_case(index, seed=0).patient.lesion_kinds) == 1)
    for index, values in ((one, [0, 255]), (two, [0, 1, 2])):
        plan = plan_case(index, seed=0)
        dataset._write_case(tmp_path, plan, size=64)
        stored = cv2.imread(str(tmp_path / "masks" / f"{plan.stem}.png"), cv2.IMREAD_UNCHANGED)
        assert np.unique(stored).tolist() == values
    (case,) = [case for case in open_sources([f"folder:{tmp_path}"]).cases if case.case_id.endswith(plan.stem)]
    expected = phantom_case(two, seed=0, size=64).lesion_mask
    np.testing.assert_array_equal(np.asarray(case.load().lesion_mask), np.asarray(expected))


def test_interrupted_run_leaves_whole_files_and_continues(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set"
    made: list[int] = []

    def make(index: int, *, seed: int, size: int):
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(index)
        return phantom_case(index, seed=seed, size=size)

    monkeypatch.setattr(dataset, "phantom_case", make)
    with pytest.raises(KeyboardInterrupt):
        write_phantom_set(out, cases=12, seed=0, size=64, workers=1)
    assert not (out / "labels.csv").exists()
    whole = digests(written)
    left = digests(out)
    assert 0 < len(left) < len(whole)
    assert all(whole[name] == digest for name, digest in left.items())
    monkeypatch.setattr(dataset, "phantom_case", phantom_case)
    before = {name: (out / name).stat().st_mtime_ns for name in left if name.endswith(".png")}
    write_phantom_set(out, cases=12, seed=0, size=64)
    assert digests(out) == whole
    kept = [name for name, written_at in before.items() if (out / name).stat().st_mtime_ns == written_at]
    assert len(kept) == 3 * len(made)


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no phantom set"):
        write_phantom_set(tmp_path, cases=2, seed=0, size=64)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("changed", [{"seed": 1}, {"size": 96}, {"cases": 5}])
def test_another_set_is_not_mixed_in(written: Path, changed: dict[str, int]) -> None:
    before = digests(written)
    with pytest.raises(InputError, match="other settings"):
        write_phantom_set(written, **{"cases": 12, "seed": 0, "size": 64, **changed})
    assert digests(written) == before


def test_file_in_the_way_and_empty_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="in the way"):
        write_phantom_set(tmp_path / "file", cases=2, seed=0, size=64)
    with pytest.raises(InputError, match="cannot have 0 cases"):
        write_phantom_set(tmp_path / "new", cases=0, seed=0, size=64)
    assert not (tmp_path / "new").exists()


def test_command(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    data_phantom.add_arguments(parser)
    arguments = parser.parse_args(["--cases", "12", "--seed", "0", "--size", "64", "--out", str(tmp_path / "set")])
    assert data_phantom.run(arguments) == 0
    assert digests(tmp_path / "set") == digests(written)
    shown = capsys.readouterr().out
    assert "12 images of 5 patients" in shown or "12 images of 6 patients" in shown
