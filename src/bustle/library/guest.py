"""The functions of `import bustle` leave the program that calls them as it was."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_OF_LIBRARIES = ("KMP_", "OPENCV_", "TORCH")
"""How the environment variables begin that libraries set at their imports."""


@contextmanager
def as_a_guest() -> Iterator[None]:
    """After the block the warning filters, and the environment that imports change, are what they were before it.

    Libraries that are imported when a function is first called add to both. Random numbers are nobody's concern here:
    what draws any keeps the generators' states itself.
    """
    before = _set_by_libraries()
    with warnings.catch_warnings():
        try:
            yield
        finally:
            for name in _set_by_libraries().keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)


def _set_by_libraries() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_OF_LIBRARIES)}
