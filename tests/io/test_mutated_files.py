"""Damaged files of every kind, in a process of its own: no crash, no hang, no memory, one line each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def read_mutated(count: int, folder: Path, *kinds: str, seconds: float) -> str:
    words = [sys.executable, "-m", "tests.io.mutated_files", str(count), str(folder), *kinds]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    last = (folder / "now").read_text() if (folder / "now").exists() else "none"
    assert done.returncode == 0, f"at {last}: {done.stdout[-3000:]} {done.stderr[-3000:]}"
    return done.stdout


def test_a_hundred_mutated_files(tmp_path: Path):
    assert "130 files read, 0 wrong" in read_mutated(130, tmp_path, seconds=60)


@pytest.mark.full
def test_ten_thousand_mutated_files(tmp_path: Path):
    assert "10000 files read, 0 wrong" in read_mutated(10_000, tmp_path, seconds=1800)


def test_some_dozens_of_mutated_dicom_files(tmp_path: Path):
    assert "60 files read, 0 wrong" in read_mutated(60, tmp_path, "dicom", seconds=60)


@pytest.mark.full
def test_ten_thousand_mutated_dicom_files(tmp_path: Path):
    assert "10000 files read, 0 wrong" in read_mutated(10_000, tmp_path, "dicom", seconds=1800)
