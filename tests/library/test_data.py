"""`bustle.open_data`, `audit` and `split` against the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

import bustle
from bustle.cli.main import main
from bustle.core.errors import InputError

SPEC = "phantom:?cases=8&seed=0&size=64"


def test_data_sets_are_opened_together():
    data = bustle.open_data(SPEC, "phantom:?cases=4&seed=1&size=64&name=other")
    assert [case.source for case in data.cases] == ["phantom"] * 8 + ["other"] * 4
    assert data.cases[0].load().image.shape == (1, 64, 64)


def test_an_audit_as_files_is_that_of_the_command(tmp_path: Path):
    assert main(["data", "audit", SPEC, "--out", str(tmp_path / "a")]) == 0
    found = bustle.audit(SPEC, out=tmp_path / "b")
    for name in ("audit.json", "audit.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert bustle.audit(bustle.open_data(SPEC)).findings == found.findings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 2}, ["--folds", "2"]),
        ({"holdout": 0.25, "seed": 3, "classes": ["benign", "malignant"]}, ["--holdout", "0.25", "--seed", "3"]),
        ({"track": "published", "folds": 2, "protocol": "acsnet"}, ["--track", "published", "--protocol", "acsnet"]),
    ],
)
def test_a_split_is_that_of_the_command(options: dict, words: list[str], tmp_path: Path):
    if "classes" in options:
        words = [*words, "--classes", "benign,malignant"]
    if options.get("protocol"):
        words = [*words, "--folds", "2"]
    assert main(["data", "split", SPEC, *words, "--out", str(tmp_path / "a.json")]) == 0
    made = bustle.split(SPEC, out=tmp_path / "b.json", **options)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert len(made.folds) == (1 if "holdout" in options else 2)


def test_wrong_input_is_an_input_error():
    with pytest.raises(InputError, match="unknown reader 'bussi'; did you mean busi"):
        bustle.open_data("bussi:somewhere")
    with pytest.raises(InputError, match="the strict track has its own protocol"):
        bustle.split(SPEC, protocol="lanet")
