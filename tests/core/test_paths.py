from __future__ import annotations

import re
from pathlib import Path

import pytest

from bustle.core.paths import given_path, name_as_study, word_in_results

SOURCES = Path(__file__).parents[2] / "src" / "bustle"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "/home/of/me"),
        ("~/x y", "/home/of/me/x y"),
        ("x/~", "x/~"),
        ("/a~b", "/a~b"),
        ("~nobody-at-all/x", "~nobody-at-all/x"),
    ],
)
def test_a_tilde_at_the_start_is_the_home_folder(text: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/of/me")
    assert given_path(text) == Path(expected)


@pytest.mark.parametrize("room", ["cli", "library"])
def test_every_path_that_a_person_gives_is_read_in_one_way(room: str):
    """A bare `Path(...)` or `type=Path` would take `--out=~/x` for a folder named `~`."""
    bare = re.compile(r"(?<!\w)Path\(|type=Path\b")
    assert [file for file in (SOURCES / room).glob("*.py") if bare.search(file.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("train", "train"),
        ("sub/run", "sub/run"),
        ("training.epochs=1", "training.epochs=1"),
        ("phantom:?cases=2", "phantom:?cases=2"),
        ("/home/me/secret project/run", "run"),
        ("--out=/home/me/run", "--out=run"),
        ("folder:/home/me/set?name=a", "folder:set?name=a"),
        ("folder:~/set", "folder:set"),
        (r"folder:C:\Users\me\set?name=a", "folder:set?name=a"),
        ("{here}/runs/a", "runs/a"),
        ("folder:{here}/set", "folder:set"),
        ("dicom:/home/jane/Doe_Jane?every=5", "dicom:…?every=5"),
        ("dicom:Doe_Jane", "dicom:…"),
        ("--data=dicom:Doe_Jane/a.dcm", "--data=dicom:…"),
        ("/pacs/Doe_Jane.dcm", "….dcm"),
        ("Doe_Jane.DCM", "….DCM"),
    ],
)
def test_results_tell_paths_from_the_working_folder_or_by_their_names(
    word: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert word_in_results(word.replace("{here}", str(tmp_path))) == expected


def test_what_turned_out_to_be_a_study_is_not_named():
    assert word_in_results("a-folder-of-somebody") == "a-folder-of-somebody"
    name_as_study("a-folder-of-somebody")
    assert word_in_results("a-folder-of-somebody") == "…"
