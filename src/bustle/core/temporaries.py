"""The names of temporary files, and the removal of those that a killed process has left."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

_STEM = 40
"""So many letters of a file's name its temporary file bears: names have a longest length."""

_RANDOM = re.compile(r"[a-z0-9_]{8}")
"""What `tempfile` puts between prefix and suffix."""


def temporary_affixes(name: str) -> tuple[str, str]:
    """Prefix and suffix of a temporary that becomes `name`; encoders choose their format by the suffix."""
    parts = Path(name).suffixes
    suffix = "".join(parts[-2:]) if parts and parts[-1] == ".gz" else "".join(parts[-1:])
    return f".{name[:_STEM]}.", suffix


def is_temporary(name: str, *, of: str | None = None) -> bool:
    """Whether it is such a name: `.last.ckpt.x8fj_2ka.ckpt`; with `of`, one that becomes that file."""
    if of is not None:
        prefix, suffix = temporary_affixes(of)
        inner = name.removeprefix(prefix).removesuffix(suffix)
        return name == f"{prefix}{inner}{suffix}" and _RANDOM.fullmatch(inner) is not None
    parts = name.split(".")
    if parts[0] != "":
        return False
    for place in range(2, len(parts)):
        if _RANDOM.fullmatch(parts[place]) is None:
            continue
        target, suffix = ".".join(parts[1:place]), "".join(f".{part}" for part in parts[place + 1 :])
        if len(target) == _STEM or temporary_affixes(target)[1] == suffix:
            return True
    return False


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files anywhere below a folder whose writer is gone; links are not followed."""
    for parent, _, names in os.walk(folder):
        for name in filter(is_temporary, names):
            with contextlib.suppress(OSError):  # it is in nobody's way
                (Path(parent) / name).unlink()


def sweep_temporaries_of(path: Path) -> None:
    """Remove the temporary files and folders, beside a file or folder, that were to become it."""
    with contextlib.suppress(OSError):
        for entry in list(path.parent.iterdir()):
            if is_temporary(entry.name, of=path.name):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink()
