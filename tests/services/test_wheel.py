"""What a release hands out: the wheel holds the package as it stands in `src`, and its command answers alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.services.fresh_environment import FreshEnvironment

SOURCE = Path(__file__).resolve().parents[2] / "src"


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = (path for path in (SOURCE / "bustle").rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    assert packed == {path.relative_to(SOURCE).as_posix() for path in files}
    assert {Path(name).suffix for name in packed} >= {".py", ".yaml", ".csv", ".json", ".html"}


def test_the_command_answers_where_nothing_but_the_wheel_is_installed(
    wheel: Path, fresh_environment: FreshEnvironment
) -> None:
    fresh_environment.install("--no-deps", "--no-index", wheel)
    answer = fresh_environment.run("bustle", "--help")
    assert answer.startswith("usage: bustle")
    assert "train" in answer
    version = wheel.name.split("-")[1]
    assert fresh_environment.run("bustle", "--version").split()[-1] == version
