"""What the demos share: a folder of their own, and commands that are shown as they run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

MARKER = ".bustle-demo"


def bustle(*words: str | Path) -> None:
    command = [str(word) for word in words]
    print(f"\n$ bustle {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", "bustle", *command], check=True)


def fresh_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo; anything else that stands there is left alone."""
    if folder.exists():
        if not (folder / MARKER).exists():
            sys.exit(f"{folder} exists and is not an earlier demo: move it away first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
