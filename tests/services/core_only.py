"""Runs commands of `bustle` as if only the core was installed, in one process: `python core_only.py COMMANDS`.

COMMANDS is a JSON list of lists of words; a JSON list of `[exit status, stdout, stderr]` is printed.

What `pip install bustle` brings is worked out from pyproject.toml and the installed packages' own dependencies; every
other package is made to look as if it was absent.
"""

from __future__ import annotations

import importlib.abc
import importlib.metadata
import io
import json
import sys
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from _typeshed.importlib import MetaPathFinderProtocol

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def with_their_own(requirements: Iterable[str]) -> set[str]:
    """The names of the distributions that these requirements install, theirs included."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name not in found and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += importlib.metadata.requires(name) or []
    return found


def absent_modules() -> set[str]:
    """The top-level modules of every installed package that is not the core's."""
    core = with_their_own(PROJECT["dependencies"]) | {"bustle"}
    return {
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if not core & {canonicalize_name(name) for name in distributions}
    }


class Hiding(importlib.abc.MetaPathFinder):
    """A finder that does not find `absent` modules."""

    def __init__(self, finder: MetaPathFinderProtocol, *, absent: set[str]) -> None:
        self.finder = finder
        self.absent = absent

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname in self.absent else self.finder.find_spec(fullname, path, target)


if __name__ == "__main__":
    absent = absent_modules()
    sys.meta_path[:] = [Hiding(finder, absent=absent) for finder in sys.meta_path]

    from bustle.cli.main import main

    done = []
    for words in json.loads(sys.argv[1]):
        with redirect_stdout(io.StringIO()) as said, redirect_stderr(io.StringIO()) as warned:
            status = main(words)
        done.append([status, said.getvalue(), warned.getvalue()])
    print(json.dumps(done))
