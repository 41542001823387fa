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
from benchmarks.__main__ import main, names
from benchmarks._process import measured, peak_bytes

from benchmarks import surface_distances

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


def test_an_absent_peer_is_named_and_the_others_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    peers = {"no such library": ("no_such_library", surface_distances.own)}
    peers["scipy"] = surface_distances.PEERS["scipy, whole-image distance transform"]
    monkeypatch.setattr(surface_distances, "PEERS", peers)
    main(["surface_distances", "--tiny"])
    absent, present = capsys.readouterr().out.splitlines()
    assert absent.endswith("no such library: left out, no_such_library is not installed (extra `bench`)")
    assert present.endswith("(min / median / max)")


def test_a_peer_that_computes_something_else_is_an_error(monkeypatch: pytest.MonkeyPatch):
    peers = {"wrong": ("scipy", lambda truth, prediction: (1.0, 2.0, 3.0))}
    monkeypatch.setattr(surface_distances, "PEERS", peers)
    with pytest.raises(AssertionError, match="wrong disagrees"):
        main(["surface_distances", "--tiny"])


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["bootstraps"])
    assert caught.value.code == 2
    assert "unknown benchmark bootstraps; known: bootstrap, " in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells a process's peak memory")
def test_a_process_of_its_own_does_not_inherit_our_peak_memory():
    held = bytearray(2**28)
    here, there = (measured(peak_bytes, own_process=own) for own in (False, True))
    assert here > len(held) > 2 * there


def test_make_bench_leaves_the_source_tree_installed() -> None:
    """A copy in its place would hide later edits."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").split("\nbench:")[1].split("\n\n")[0].splitlines()
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--editable '.[" in line for line in installs)
