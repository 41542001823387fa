"""Files whose names no other system, or no terminal, takes: they are predicted or left out, and the rest is done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.core.folder_names import portable_name
from bustle.io.raster import as_png

NAMES = [b"good.png", b"a\\b.png", b"a\nb.png", b"\x1b[31mred.png", b"CON.png", b"x .png", b"\xff\xfe.png"]


def fill(folder: Path) -> list[str]:
    """Images of these names in a folder; returns those that its file system took."""
    folder.mkdir(parents=True)
    taken = []
    for number, name in enumerate(NAMES):
        file = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        try:
            file.write_bytes(as_png(np.tile(np.arange(90, dtype=np.uint8) + number, (80, 1))))
        except OSError:
            continue
        taken.append(file.stem)
    return taken


def test_all_are_predicted_into_folders_of_portable_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    stems = fill(tmp_path / "scans")
    package = write_package(tmp_path / "made.bustle")
    words = ["predict", str(tmp_path / "scans"), "--model", str(package), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert f"{len(stems)} of {len(stems)} images predicted" in capsys.readouterr().out
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {portable_name(stem) for stem in stems}
    assert main([*words, "--resume"]) == 0


def test_a_data_set_is_audited_without_those_that_cannot_name_a_case(tmp_path: Path):
    stems = fill(tmp_path / "set" / "images")
    fill(tmp_path / "set" / "masks")
    assert main(["data", "audit", f"folder:{tmp_path / 'set'}", "--out", str(tmp_path / "audit")]) == 0
    record = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    left_out = [finding for finding in record["findings"] if finding["kind"] == "unusable-name"]
    assert record["cases"] == len(stems) - len(left_out)
    assert len(left_out) == sum(not stem.isprintable() or "\\" in stem for stem in stems)
    for finding in left_out:
        assert finding["message"].isprintable()
        assert "cannot be a case id" in finding["message"]
        assert finding["case_ids"] == []
    assert (tmp_path / "audit" / "audit.html").exists()
