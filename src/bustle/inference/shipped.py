"""The model packages that are installed with bustle, by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

SUFFIX = ".bustle"
REFERENCE = "reference"


def shipped_names() -> list[str]:
    """The names of the packages that are there."""
    return sorted(path.name.removesuffix(SUFFIX) for path in _folder().glob(f"*{SUFFIX}"))


def shipped_package(name: str) -> Path:
    """The folder of the package of this name."""
    return _folder() / f"{name}{SUFFIX}"


def default_model() -> Path:
    """The model that answers where none is named, whatever else has its name in the working folder."""
    return shipped_package(REFERENCE)


def named_model(path: Path) -> Path:
    """Where the model is that a person names: a path, or the name of a shipped package where no such path is."""
    return shipped_package(str(path)) if not path.exists() and str(path) in shipped_names() else path


def _folder() -> Path:
    return Path(str(resources.files("bustle"))) / "pretrained"
