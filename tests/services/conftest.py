"""The room of `make test-services`: tests that need more than this checkout and its packages, or much time.

A test carries the marker `services` by standing here. It installs or starts what it needs itself, and where that is
not to be had it fails: a skipped test would look as if the service had been tried.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.conftest import network_uses
from tests.services.fresh_environment import FreshEnvironment
from tests.services.postgresql import PostgreSQL, running_postgresql
from tests.services.s3 import running_s3

ROOM = Path(__file__).parent
ROOT = ROOM.parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(ROOM):
            item.add_marker(pytest.mark.services)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _turn_skip_into_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _turn_skip_into_failure(report)
    return report


def _turn_skip_into_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"a test of services may not be skipped: {report.longrepr}"


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Nothing but servers on this machine is asked by the tests' own process."""
    seen = len(network_uses)
    yield
    assert [use for use in network_uses[seen:] if "127.0.0.1" not in use] == []


@pytest.fixture(scope="session")
def walker(tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """What drives Chromium."""
    if shutil.which("chromium") is None:
        subprocess.run(["apt-get", "install", "--yes", "chromium"], check=True, capture_output=True)
    environment = FreshEnvironment(tmp_path_factory.mktemp("walker") / "environment")
    environment.install("playwright")
    return environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built as `make dist` does: from a source distribution.

    A copy is built, because a build leaves files behind that a later one would pack.
    """
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    builder = FreshEnvironment(folder / "builder")
    builder.install("--constraint", ROOT / "constraints.txt", "build")
    builder.run("python", "-m", "build", "--outdir", folder, copy)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def fresh_environment(tmp_path: Path) -> FreshEnvironment:
    return FreshEnvironment(tmp_path / "environment")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a storage, in which each test makes buckets of its own."""
    with running_s3(tmp_path_factory.mktemp("s3") / "environment") as address:
        yield address
