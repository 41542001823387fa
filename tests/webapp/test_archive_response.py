"""An archive is a temporary file: nothing of it is left open, and nothing stays where it could not be made."""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from bustle.webapp.archive_response import archive_of


def is_open(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def test_nothing_is_left_open_or_lying_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    answer = archive_of(lambda archive: archive.writestr("a", "b"), name="a.zip")
    assert not any(is_open(descriptor, Path(answer.path)) for descriptor in range(256))
    with zipfile.ZipFile(answer.path) as archive:
        assert archive.read("a") == b"b"
    Path(answer.path).unlink()

    def failing(archive: zipfile.ZipFile) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        archive_of(failing, name="a.zip")
    assert list(tmp_path.iterdir()) == []
