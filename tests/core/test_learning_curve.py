"""The table of a training's epochs, and everything else that may stand in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.learning_curve import read_earlier_curves, read_learning_curve, write_learning_curve
from bustle.core.run_layout import FoldLayout


def test_what_was_written_is_read(tmp_path: Path):
    rows = [{"epoch": 1, "val_dice": None, "seconds": 0.25}, {"epoch": 2, "val_dice": 0.5, "seconds": 0.125}]
    write_learning_curve(tmp_path / "m.csv", rows)
    assert (tmp_path / "m.csv").read_text() == "epoch,val_dice,seconds\n1,,0.25\n2,0.5,0.125\n"
    assert list(read_learning_curve(tmp_path / "m.csv")) == rows


def test_a_training_that_an_earlier_version_began_goes_on_with_further_columns(tmp_path: Path):
    rows = [{"epoch": 1, "val_dice": 0.5}, {"epoch": 2, "val_dice": None, "val_clear": 1.0}]
    write_learning_curve(tmp_path / "m.csv", rows)
    assert (tmp_path / "m.csv").read_text() == "epoch,val_dice,val_clear\n1,0.5,\n2,,1.0\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cut off"),
        ("epoch,seconds\n1,0.5\n2,0.2", "cut off"),
        ("epoch,seconds\n1,0.5\n2\n", "shorter than"),
        ("epoch,seconds\n1,0.5\n2,0.2,7\n", "longer than"),
        ("epoch,seconds\n", "do not count from 1"),
        ("epoch,seconds\n1,0.5\n3,0.2\n", "do not count from 1"),
        ("epoch,seconds\n1,0.5\ntwo,0.2\n", "could not convert"),
        ("epoch,seconds\n1,nan\n", "not finite"),
        ("epoch,epoch,seconds\n1,1,0.5\n", "two columns have one name"),
        ("epoch,loss\n1,0.5\n", "lacks the columns epoch and seconds"),
        ("junk\n", "do not count from 1"),
        ('epoch,seconds\n"1,0.5\n', "is not a readable CSV"),
        ("\x00\n", "is not"),
        (b"\xff\xfe\x00", "is not a readable CSV"),
    ],
)
def test_another_content_is_told_in_one_line(content: str | bytes, said: str, tmp_path: Path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said) as raised:
        read_learning_curve(path)
    assert str(raised.value).startswith(f"{path}: is not")
    assert str(raised.value).endswith(
        "; restore it; or move it away and repeat the training's command with --resume, "
        "which makes it again from the checkpoint"
    )


def test_a_missing_curve_is_told_and_not_taken_for_an_empty_one(tmp_path: Path):
    with pytest.raises(InputError, match=r"metrics\.csv: no such file; repeat the training's command with --resume"):
        read_learning_curve(tmp_path / "metrics.csv")


def test_the_curves_of_earlier_stages(tmp_path: Path):
    fold = FoldLayout(tmp_path / "fold-0")
    assert read_earlier_curves(fold) == {}
    rows = [{"epoch": 1, "seconds": 0.5}]
    write_learning_curve(fold.stage("first").history, rows)
    fold.stage("second").checkpoint.parent.mkdir(parents=True)
    assert read_earlier_curves(fold) == {"first": tuple(rows)}
    fold.stage("second").checkpoint.touch()
    with pytest.raises(InputError, match=r"second/metrics\.csv: no such file"):
        read_earlier_curves(fold)
