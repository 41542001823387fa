"""What benchmarks refuse and leave out; that all of them run is a test of the services."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks._process import measured, peak_bytes

from benchmarks import surface_distances

ROOT = Path(__file__).resolve().parents[2]


def test_an_absent_peer_is_named_and_the_others_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    peers = {"no such library": ("no_such_library", surface_distances.own)}
    peers["scipy"] = surface_distances.PEERS["scipy, whole-image distance transform"]
    monkeypatch.setattr(surface_distances, "PEERS", peers)
    main(["surface_distances", "--tiny"])
    absent, present, _ = capsys.readouterr().out.splitlines()
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
    said = capsys.readouterr().err
    assert "unknown benchmark bootstraps; known: " in said
    assert ", bootstrap, " in said


def test_a_recipe_is_for_the_training_alone(capsys: pytest.CaptureFixture[str]):
    for words in (["bootstrap", "--recipe", "rmtl_net"], ["training", "--set", "model.config.backbone=resnet18"]):
        with pytest.raises(SystemExit):
            main([*words, "--tiny"])
        assert "--recipe, and with it --set, belongs to `training` alone" in capsys.readouterr().err


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
