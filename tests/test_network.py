"""Nothing that bustle or a library below it does reaches for the network, or keeps an id of the person."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from tests.inference.hand_made_package import write_package
from tests.watched_commands import USED, watched

from bustle.inference.runtimes import import_onnxruntime, import_openvino

ROOT = Path(__file__).parents[1]
REPORTING = re.compile(r"^\s*(import|from) (onnxruntime|openvino)\b", re.MULTILINE)


def test_a_prediction_and_an_evaluation_look_nothing_up_and_leave_the_home_folder_empty(tmp_path: Path):
    write_package(tmp_path / "made.bustle")
    done = watched(tmp_path, *USED)
    assert done.returncode == 0, done.stderr
    assert "network:" not in done.stdout
    assert list((tmp_path / "home").rglob("*")) == []


def test_libraries_that_report_their_use_are_imported_in_one_place():
    files = [file for room in ("src", "tests", "benchmarks", "scripts") for file in (ROOT / room).rglob("*.py")]
    assert [file for file in files if REPORTING.search(file.read_text(encoding="utf-8"))] == []


def test_the_imports_leave_the_programs_modules_and_environment_as_they_were(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    reporter = object()
    monkeypatch.setitem(sys.modules, "openvino_telemetry", reporter)
    before = dict(os.environ)
    assert import_onnxruntime().__name__ == "onnxruntime"
    assert import_openvino().__name__ == "openvino"
    assert os.environ == before
    assert sys.modules["openvino_telemetry"] is reporter
    monkeypatch.delitem(sys.modules, "openvino_telemetry")
    assert import_openvino().convert_model.__module__.startswith("openvino.tools.ovc")
    assert "openvino_telemetry" not in sys.modules
