"""Breast ultrasound: outline and classify lesions, and train, compare and trust the models that do it.

Every function does what the command of its name does, with the same results. Importing this package imports nothing
else: what a function needs is imported when it is first used. Wrong input is an `InputError`
(`bustle.core.errors`), whose one line says what is wrong, where, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bustle.library.data import audit, open_data, split
    from bustle.library.models import load_model, predict
    from bustle.library.runs import compare, evaluate, train

    __version__: str

__all__ = ["__version__", "audit", "compare", "evaluate", "load_model", "open_data", "predict", "split", "train"]

_FILES = {
    "data": ("audit", "open_data", "split"),
    "models": ("load_model", "predict"),
    "runs": ("compare", "evaluate", "train"),
}
"""Which file of `bustle.library` defines each function."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("bustle")
    for file, functions in _FILES.items():
        if name in functions:
            from importlib import import_module

            return getattr(import_module(f"bustle.library.{file}"), name)
    raise AttributeError(f"module 'bustle' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
