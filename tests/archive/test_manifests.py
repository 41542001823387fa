"""The list of an archive's files: its forms, what is none, and in which order it stands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.archive.made_archive import answer, rows_of, write_images, write_manifest

from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.inference.predictor import Predictor


def test_a_shorter_manifest_is_counted_as_it_is(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for module in ("listed", "predict_archive"):
        monkeypatch.setattr(f"bustle.archive.{module}.ROWS_PER_PART", 2)
    names = write_images(tmp_path, [64, 70, 80])
    answer(predictor, write_manifest(tmp_path, [*names, *names]))
    summary, contents = answer(predictor, write_manifest(tmp_path, names[:1]), resume=True)
    assert (summary.rows, summary.contents, summary.copies, contents) == (1, 1, 0, 0)
    assert [row["image"] for row in rows_of(tmp_path, "contents")] == names[:1]
    assert len(rows_of(tmp_path)) == 3, "answers stay"


def test_a_parquet_manifest_and_a_whole_part(predictor: Predictor, tmp_path: Path):
    name = write_images(tmp_path, [64])[0]
    manifest = tmp_path / "manifest.parquet"
    parquet.write_table(pa.table({"image": [name] * 1001, "patient": range(1001)}), manifest)
    summary, contents = answer(predictor, manifest)
    assert (summary.rows, summary.copies, contents) == (1001, 1000, 1)
    assert len(list((tmp_path / "out" / "contents").iterdir())) == 2


def test_a_column_that_holds_no_text_names_no_files(predictor: Predictor, tmp_path: Path):
    parquet.write_table(pa.table({"image": [1, 2]}), tmp_path / "manifest.parquet")
    assert answer(predictor, tmp_path / "manifest.parquet")[0].unread == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path\na.png\n", "has no column 'image'"),
        ("image\n", "has no rows"),
        ("", "is no table"),
        (None, "no such file"),
    ],
)
def test_a_manifest_that_is_none(predictor: Predictor, tmp_path: Path, content: str | None, words: str):
    manifest = tmp_path / "manifest.csv"
    if content is not None:
        manifest.write_text(content)
    with pytest.raises(InputError, match=words):
        answer(predictor, manifest)


@pytest.mark.parametrize(
    "words",
    [
        ["manifest:m.csv", "a.png"],
        ["manifest:m.csv", "--report"],
        ["manifest:m.csv", "--explain"],
        ["a.png", "--engine", "ray"],
        ["a.png", "--workers", "2"],
        ["manifest:m.csv", "--address", "127.0.0.1:1"],
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["predict", *words, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_content_belongs_to_one_part_wherever_it_is_listed(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bustle.archive.predict_archive.CONTENTS_PER_PART", 2)
    names = write_images(tmp_path, range(64, 72))

    def parts(places: Iterable[str]) -> dict[str, bytes]:
        answer(predictor, write_manifest(tmp_path, places))
        return {path.name: path.read_bytes() for path in (tmp_path / "out" / "answers").iterdir()}

    assert len(parts(names)) > 1
    assert parts(names) == parts(reversed(names))
