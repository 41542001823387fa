"""`provenance.json` is read strictly: what is damaged or of another type is told with the file's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.run_provenance import (
    Fingerprint,
    Hardware,
    RunProvenance,
    Session,
    StartingWeights,
    read_run_provenance,
    write_run_provenance,
)

SESSION = Session(
    command=("bustle", "train", "demo"),
    versions={"python": "3.12.0"},
    code_revision=None,
    platform="made up",
    processors=2,
    started="2026-01-01T00:00:00Z",
    hardware=Hardware(processor="made up", threads=1, gpus=()),
    seconds=None,
)
RECORD = RunProvenance(
    data={"site": Fingerprint(cases=12, sha256="ab")},
    init=StartingWeights(file="encoder.safetensors", sha256="cd"),
    sessions=(SESSION,),
)


def test_what_was_written_is_read(tmp_path: Path):
    write_run_provenance(tmp_path / "provenance.json", RECORD)
    assert read_run_provenance(tmp_path / "provenance.json") == RECORD


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": []}, "is not the record of a run .*data is .*a mapping"),
        ({"data": {"site": 12}}, "data.site is 12"),
        ({"init": "encoder.safetensors"}, "init is 'encoder.safetensors'"),
        ({"sessions": None}, "sessions is None.*a list"),
        ({"sessions": [{"command": "bustle"}]}, "lacks"),
        ({"session": []}, "did you mean sessions"),
    ],
)
def test_another_type_is_told_in_one_line(change: dict, said: str, tmp_path: Path):
    path = tmp_path / "provenance.json"
    write_run_provenance(path, RECORD)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=said) as raised:
        read_run_provenance(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"data": {}, "init": null}'])
def test_a_file_that_is_no_record_is_told_in_one_line(text: str, tmp_path: Path):
    (tmp_path / "provenance.json").write_text(text)
    with pytest.raises(InputError, match=r"provenance\.json: is not"):
        read_run_provenance(tmp_path / "provenance.json")
