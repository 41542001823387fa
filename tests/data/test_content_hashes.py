from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bustle.data import content_hashes as remembered
from bustle.data.content_hashes import content_hashes


def test_a_name_that_is_not_utf_8_is_remembered_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remembered, "YOUNG_NS", 0)
    file = tmp_path / os.fsdecode(b"scan-\xff.png")
    file.write_bytes(b"pixels")
    expected = {file: hashlib.sha256(b"pixels").hexdigest()}
    assert content_hashes([file], directory=tmp_path / "cache") == expected
    monkeypatch.setattr(remembered, "sha256_of_file", lambda _: pytest.fail("it was read again"))
    assert content_hashes([file], directory=tmp_path / "cache") == expected
