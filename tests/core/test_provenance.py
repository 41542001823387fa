from __future__ import annotations

import json
import platform
import re
import sys

import numpy as np
import pytest

from bustle.core import provenance
from bustle.core.config import to_mapping


def test_versions_are_those_that_run_and_absent_packages_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    assert provenance.versions() == {"python": platform.python_version(), "numpy": np.__version__}


def test_the_code_revision_is_a_commit_of_this_checkout_or_unknown():
    revision = provenance.code_revision()
    assert revision is None or re.fullmatch(r"[0-9a-f]{40}(\+changes)?", revision)


def test_without_git_the_code_revision_is_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.code_revision() is None


def test_provenance_is_plain_json_and_names_no_folder_of_the_program(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["/home/somebody/bin/bustle", "train", "rmtl_net"])
    record = json.loads(json.dumps(to_mapping(provenance.provenance())))
    assert record["command"] == ["bustle", "train", "rmtl_net"]
    assert record["versions"]["python"] == platform.python_version()
    monkeypatch.setattr(sys, "argv", ["/somewhere/bustle/__main__.py", "predict"])
    assert provenance.provenance().command == ("bustle", "predict")
    assert record["processors"] >= 1
