"""Where the files of an archive lie: in buckets, at addresses, and what reads them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tests.archive.made_archive import answer, rows_of, write_images, write_manifest
from tests.inference.hand_made_package import scene

from bustle.archive.answers import AnsweredPart, AnswersOfPart
from bustle.archive.contents import ContentsOfPart
from bustle.archive.listed import ListedPart
from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.inference.predictor import Predictor
from bustle.io.raster import as_png, write_png


def test_a_file_in_a_bucket_is_fetched(predictor: Predictor, tmp_path: Path):
    with fsspec.open("memory://scans/a.png", "wb") as file:
        file.write(as_png(scene(64, 70)))
    summary, _ = answer(predictor, write_manifest(tmp_path, ["memory://scans/a.png", "memory://scans/b.png"]))
    assert (summary.contents, summary.unread) == (1, 1)


def test_a_bucket_without_permission_is_told_and_the_rest_is_answered(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    whole = MemoryFileSystem.get_file

    def get_file(bucket: MemoryFileSystem, name: str, *given: Any, **named: Any) -> None:
        if name.startswith("/closed/"):
            raise PermissionError("Forbidden")
        whole(bucket, name, *given, **named)

    monkeypatch.setattr(MemoryFileSystem, "get_file", get_file)
    for bucket in ("closed", "open"):
        with fsspec.open(f"memory://{bucket}/a.png", "wb") as file:
            file.write(as_png(scene(64, 70)))
    manifest = write_manifest(tmp_path, ["memory://closed/a.png", "memory://open/a.png"])
    words = ["--model", str(predictor.path), "--out", str(tmp_path / "out")]
    assert main(["predict", f"manifest:{manifest}", *words]) == 2
    assert "1 of 1 contents of 2 files predicted" in capsys.readouterr().out
    problem = "the bucket does not allow reading; give this account the permission"
    assert [row["problem"] for row in rows_of(tmp_path, "contents")] == [problem, None]
    assert rows_of(tmp_path)[0]["decision"] is not None


@pytest.mark.parametrize(
    ("place", "package", "remedy"),
    [
        ("s3://scans/a.png", "s3fs", "pip install 'bustle[s3]'"),
        ("zip://a.png::s3://scans/a.zip", "s3fs", "pip install 'bustle[s3]'"),
        ("https://server/a.png", "fsspec", "pip install 'bustle[s3]'"),
        ("dicomweb+https://server/studies/1", "dicomweb_client", "pip install 'bustle[node]'"),
        ("gs://scans/a.png", "gcsfs", "install gcsfs"),
    ],
)
def test_a_missing_package_is_told_before_anything_is_fetched(
    predictor: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    package: str,
    remedy: str,
):
    manifest = write_manifest(tmp_path, [*write_images(tmp_path, [64]), place])
    words = ["predict", f"manifest:{manifest}", "--model", str(predictor.path), "--out", str(tmp_path / "out")]
    monkeypatch.setitem(sys.modules, package, None)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert remedy in line
    assert not (tmp_path / "out").exists()
    folders = (tmp_path / "out", tmp_path)
    for work_of_another_machine in (
        partial(ContentsOfPart(*folders), ListedPart(0, (place,))),
        partial(AnswersOfPart(*folders, predictor), AnsweredPart(0, (("0" * 64, place),))),
    ):
        with pytest.raises(InputError, match=re.escape(remedy)):
            work_of_another_machine()


def test_a_missing_package_that_a_kind_of_file_needs_is_told_once(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def pick(inputs: Sequence[str]) -> None:
        raise ModuleNotFoundError("No module named 'pydicom'", name="pydicom")

    monkeypatch.setattr("bustle.archive.answers.pick", pick)
    with pytest.raises(InputError, match=re.escape("pip install 'bustle[dicom]'")):
        answer(predictor, write_manifest(tmp_path, write_images(tmp_path, [64])))


@pytest.mark.parametrize(
    "place", ["nowhere://scans/a.png", "dicomweb+https://server/studies/1.2", "http://[abc/x.png"]
)
def test_a_place_that_nothing_reads_is_told(predictor: Predictor, tmp_path: Path, place: str):
    summary, _ = answer(predictor, write_manifest(tmp_path, [place]))
    assert summary.unread == 1


def test_an_address_of_a_file_may_have_escapes(predictor: Predictor, tmp_path: Path):
    write_png(tmp_path / "benign (1).png", scene(64, 64))
    manifest = write_manifest(tmp_path, [(tmp_path / "benign (1).png").as_uri()])
    assert answer(predictor, manifest)[0].is_complete
