"""What a result was made with: versions, code revision, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bustle.core.paths import word_in_results

PACKAGES = (
    "bustle",
    "numpy",
    "opencv-python-headless",
    "scipy",
    "torch",
    "torchvision",
    "timm",
    "onnxruntime",
    "openvino",
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The command line, the versions of what a result depends on, the git commit of a source checkout, the machine.

    `processors` is None where the system does not tell their number.
    """

    command: tuple[str, ...]
    versions: Mapping[str, str]
    code_revision: str | None
    platform: str
    processors: int | None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on; absent packages are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def installed_version() -> str | None:
    """Of bustle; None of a source tree that is not installed."""
    try:
        return metadata.version("bustle")
    except metadata.PackageNotFoundError:
        return None


def code_revision() -> str | None:
    """The git commit of a source checkout (with `+changes` when it is modified), None for an installed wheel."""
    here = Path(__file__).resolve().parent
    commit = _git(here, "rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + ("+changes" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def provenance() -> Provenance:
    """Of the running command, whose absolute paths are told by the names at their ends."""
    program = Path(sys.argv[0]).name
    return Provenance(
        command=(
            "bustle" if program == "__main__.py" else program,
            *map(word_in_results, sys.argv[1:]),
        ),  # as `python -m bustle` too
        versions=versions(),
        code_revision=code_revision(),
        platform=platform.platform(),
        processors=os.cpu_count(),
    )
