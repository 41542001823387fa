"""The versions that all machines of a cluster must have: their answers stand beside each other in one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import bustle
from bustle.core.errors import InputError
from bustle.core.provenance import versions

SOURCE = "source of bustle"


def own_versions() -> dict[str, str]:
    """Of Python and the packages that a result depends on, and a digest of bustle's own source files.

    Without the labels of builds (`+cpu`): machines with and without a GPU have the same PyTorch from two of them.
    """
    public = {name: version.partition("+")[0] for name, version in versions().items()}
    return public | {SOURCE: _digest(Path(bustle.__file__).parent)}


def check_versions(found: Mapping[str, str], *, own: Mapping[str, str], machine: str) -> None:
    """Raises `InputError` where a machine has `found` what differs from the `own` versions of the command."""
    differences = [
        f"{name} {found.get(name, 'none')} instead of {own.get(name, 'none')}"
        for name in {**own, **found}
        if found.get(name) != own.get(name)
    ]
    if differences:
        raise InputError(
            f"the machine {machine} of the cluster has {', '.join(differences)}",
            remedy="install the same versions on all its machines",
        )


def _digest(folder: Path) -> str:
    """The first digits of the SHA-256 of all modules and recipes, which two trees of one version may not share."""
    sha256 = hashlib.sha256()
    for file in sorted([*folder.rglob("*.py"), *folder.rglob("*.yaml")]):
        content = file.read_bytes()
        sha256.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode())
        sha256.update(content)
    return sha256.hexdigest()[:12]
