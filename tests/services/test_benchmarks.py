"""Every benchmark still runs: tiny sizes, whatever peers are installed. Nothing is said about times."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import names

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """The printed lines by benchmark, and the JSON, of one tiny run of all.

    A process of its own, since the benchmarks set threads and the C library's memory.
    """
    file = tmp_path_factory.mktemp("benchmarks") / "rows.json"
    command = [sys.executable, "-m", "benchmarks", "--tiny", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    printed: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        name, _, row = line.partition(": ")
        printed[name].append(row)
    return printed, json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", names())
def test_a_tiny_run_measures_our_side_against_a_peer(name: str, reported: tuple[dict[str, list[str]], dict]):
    printed, _ = reported
    assert any("(min / median / max)" in line for line in printed[name])


def test_the_report_holds_every_peer_and_says_which_were_left_out(reported: tuple[dict[str, list[str]], dict]):
    printed, written = reported
    assert written["tiny"], "figures of a tiny run say so"
    assert written["provenance"]["versions"]
    lines = [line for name in names() for line in printed[name]]
    assert len(lines) == len(written["rows"])
    for line, row in zip(lines, written["rows"], strict=True):
        assert line.startswith(f"{row['goal']} | {row['peer']}: ")
        if row["ratio"] is None:
            assert find_spec(row["needs"]) is None, "left out though it is installed"
            assert f"left out, {row['needs']} is not installed" in line
        else:
            assert 0 < row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"]
