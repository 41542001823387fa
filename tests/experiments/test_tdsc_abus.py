"""A submission in the challenge's form, from its files to its figures and ranks."""

from __future__ import annotations

import csv
import functools
import json
import math

import numpy as np
import pytest

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.types import Case, Geometry, Sample
from bustle.evaluation.challenge_results import ChallengeClassification
from bustle.evaluation.tdsc_abus import box_of_mask
from bustle.experiments.tdsc_abus import score_submission
from bustle.experiments.tdsc_abus_files import BOX_COLUMNS
from bustle.io.volume import write_volume

SHAPE = (8, 12, 10)
GEOMETRY = Geometry(SHAPE, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1))


def tumour(number, *, shift=0):
    mask = np.zeros(SHAPE, bool)
    mask[1:4, 2 + shift : 6 + shift, 3 : 7 + number % 3] = True
    return mask


def load(number):
    return Sample(
        case_id=f"tdsc-abus/DATA_{number:03}",
        source="tdsc-abus",
        image=np.zeros((1, *SHAPE), np.uint8),
        geometry=GEOMETRY,
        lesion_mask=tumour(number).view(np.uint8),
    )


def make_cases(numbers):
    return [
        Case(
            case_id=f"tdsc-abus/DATA_{number:03}",
            source="tdsc-abus",
            load=functools.partial(load, number),
            label="malignant" if number % 2 else "benign",
            has_mask=True,
        )
        for number in numbers
    ]


def write_table(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([columns, *rows])


def write_submission(folder, numbers, *, without_mask=()):
    (folder / "Segmentation").mkdir(parents=True)
    for number in numbers:
        if number not in without_mask:
            write_volume(
                folder / "Segmentation" / f"MASK_{number:03}.nrrd", tumour(number, shift=1), geometry=GEOMETRY
            )
    write_table(
        folder / "Classification" / "any name.csv",
        ["case", "prob"],
        [[number, 0.9 if number % 2 else 0.2] for number in reversed(numbers)],
    )
    boxes = [
        [number, *(value for part in box_of_mask(tumour(number)) for value in part), 0.8] for number in numbers[1:]
    ]
    write_table(
        folder / "Detection" / "boxes.csv",
        ["public_id", *BOX_COLUMNS, "probability"],
        [*boxes, [numbers[0], 50, 50, 50, 3, 3, 3, 0.9]],
    )
    return folder


def scored(folder, numbers):
    submission = write_submission(folder / "s", numbers)
    return score_submission(submission, cases=make_cases(numbers), out=folder / "out")


def test_the_three_tasks(tmp_path):
    numbers = [4, 5, 6, 7]
    result = score_submission(
        write_submission(tmp_path / "s", numbers), cases=make_cases(numbers), out=tmp_path / "out"
    )
    assert json.loads((tmp_path / "out" / "challenge.json").read_text()) == to_mapping(result)
    assert result.segmentation.dice == pytest.approx(3 / 4)
    assert result.segmentation.hd_voxels == 1
    assert result.segmentation.score == pytest.approx(-1 / 4)
    assert result.classification == ChallengeClassification(accuracy=1.0, auc=1.0, score=1.0)
    assert list(result.detection.sensitivities.values()) == pytest.approx([0, 0, *[3 / 4] * 5], abs=1e-6)
    assert result.ranks is None
    with (tmp_path / "out" / "challenge_cases.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["case_id"] for row in rows] == [f"tdsc-abus/DATA_00{number}" for number in numbers]
    assert rows[1]["hd"] == "1.0"
    assert rows[1]["boxes"] == "1"


def test_the_70_test_cases_give_a_rank(tmp_path):
    numbers = list(range(130, 200))
    result = score_submission(
        write_submission(tmp_path / "s", numbers), cases=make_cases(numbers), out=tmp_path / "out"
    )
    assert {board: place.rank for board, place in result.ranks.items()} == dict.fromkeys(result.ranks, 1)
    assert result.ranks["segmentation"].teams == 11
    assert result.ranks["overall"].score == pytest.approx(3)


def test_a_missing_mask_stops_or_is_infinite(tmp_path):
    folder = write_submission(tmp_path / "s", [4, 5, 6], without_mask=(5,))
    with pytest.raises(InputError, match=r"1 of 3 cases have no mask \(5\).*as-empty"):
        score_submission(folder, cases=make_cases([4, 5, 6]), out=tmp_path / "out")
    result = score_submission(folder, cases=make_cases([4, 5, 6]), out=tmp_path / "out", missing="as-empty")
    assert to_mapping(result.segmentation) == {
        "dice": pytest.approx(0.5),
        "hd_voxels": None,
        "n_infinite": 1,
        "score": None,
    }
    rows = (tmp_path / "out" / "challenge_cases.csv").read_text().splitlines()
    assert rows[2].split(",")[3] == str(math.inf)


def test_parts_may_be_absent_and_other_cases_are_left_out(tmp_path):
    folder = write_submission(tmp_path / "s", [4, 5, 6, 7])
    for path in (folder / "Segmentation").iterdir():
        path.unlink()
    (folder / "Segmentation").rmdir()
    result = score_submission(folder, cases=make_cases([5, 6]), out=tmp_path / "out")
    assert result.segmentation is None
    assert result.n_cases == 2
    assert result.warnings == (
        "2 cases of Classification are not among the data and were left out",
        "2 cases of Detection are not among the data and were left out",
    )


@pytest.mark.parametrize(
    ("file", "columns", "rows", "message"),
    [
        ("Classification/c.csv", ["case", "prob"], [[4, 0.5], [5, 1.2]], "'1.2' in line 3 is not a probability"),
        ("Classification/c.csv", ["case", "prob"], [[4, 0.5], [4, 0.6]], "case 4 occurs again in line 3"),
        ("Classification/c.csv", ["case", "prob"], [[4, 0.5]], r"1 of 2 cases have no class probability \(5\)"),
        ("Classification/c.csv", ["id", "prob"], [[4, 0.5]], "lacks the column case"),
        ("Detection/d.csv", ["public_id", *BOX_COLUMNS, "probability"], [[4, 1, 2, 3, 4, 5, -6, 0.5]], "negative"),
        ("Detection/d.csv", ["public_id", *BOX_COLUMNS, "probability"], [["x", 1, 2, 3, 4, 5, 6, 0.5]], "no case"),
        ("Detection/d.csv", ["public_id", *BOX_COLUMNS, "probability"], [[4, "", 2, 3, 4, 5, 6, 1]], "not a number"),
    ],
)
def test_broken_tables_are_refused(tmp_path, file, columns, rows, message):
    write_table(tmp_path / "s" / file, columns, rows)
    with pytest.raises(InputError, match=message):
        score_submission(tmp_path / "s", cases=make_cases([4, 5]), out=tmp_path / "out")


def test_other_folders_grids_and_data_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds none of the folders Segmentation"):
        score_submission(tmp_path, cases=make_cases([4]), out=tmp_path / "out")
    (tmp_path / "s" / "Detection").mkdir(parents=True)
    with pytest.raises(InputError, match="holds 0 CSV files"):
        score_submission(tmp_path / "s", cases=make_cases([4]), out=tmp_path / "out")
    folder = write_submission(tmp_path / "t", [4])
    small = Geometry((8, 12, 9), spacing=(1.0, 1.0, 1.0), origin=GEOMETRY.origin, direction=GEOMETRY.direction)
    write_volume(folder / "Segmentation" / "MASK_004.nrrd", np.ones((8, 12, 9), bool), geometry=small)
    with pytest.raises(InputError, match=r"is \(8, 12, 9\) voxels"):
        score_submission(folder, cases=make_cases([4]), out=tmp_path / "out")
    with pytest.raises(InputError, match="has no number of its own"):
        score_submission(folder, cases=[*make_cases([4]), *make_cases([4])], out=tmp_path / "out")


def test_the_command_asks_for_predictions(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    options = ["--data", "phantom:?cases=2", "--out", str(tmp_path / "out"), "--challenge", "tdsc-abus"]
    assert main(["evaluate", "--model", str(tmp_path), *options]) == 2
    assert "--challenge goes with --predictions" in capsys.readouterr().err
