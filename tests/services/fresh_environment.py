"""A Python environment of its own, as someone has it who installs bustle for the first time."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

# They would let a program find modules, settings or results outside its environment.
_LEAKS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class FreshEnvironment:
    """A virtual environment below `folder` that holds pip and nothing else, with an empty home folder.

    `python` is the interpreter that it is made from; the one that runs the tests unless another is named.
    """

    def __init__(self, folder: Path, *, python: Path = Path(sys.executable)) -> None:
        self.folder = folder
        self.commands = folder / ("Scripts" if os.name == "nt" else "bin")
        self.home = folder / "home"
        if python == Path(sys.executable):
            venv.create(folder, with_pip=True)
        else:
            subprocess.run([python, "-m", "venv", folder], check=True)
        self.home.mkdir()

    def run(self, command: str, *words: str | Path) -> str:
        """What a command of this environment prints; fails with its error output where it ends with another code."""
        done = subprocess.run(
            [self.commands / command, *words],
            env=self._variables(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with code {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *words: str | Path) -> None:
        """`pip install` with these words."""
        self.run("python", "-m", "pip", "install", "--quiet", *words)

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _LEAKS}
        return kept | {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / ".cache")}
