"""The libraries that run a package's network, imported so that nothing leaves the machine.

Left alone, both report their import to their makers: OpenVINO looks up a statistics host and keeps an id in the home
folder, ONNX Runtime keeps an id and a data base of events there. Only this file imports them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

OPENVINO_REPORTER = "openvino_telemetry"
OPENVINO_CONVERTER = "openvino.tools.ovc"
"""Imported with OpenVINO, which does without it: half of the time, for reading other libraries' models."""
ONNXRUNTIME_SWITCH = "ORT_DISABLE_TELEMETRY"
CUDA_LIBRARIES = ("libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll")
"""Of Linux and of Windows; there is none for macOS."""


def import_openvino() -> Any:
    """The module `openvino`, which takes its own stub where the package that reports is not found.

    Its `convert_model`, which bustle does not need, is there all the same when the program asks for it.
    """
    with _replaced(sys.modules, OPENVINO_REPORTER, None), _replaced(sys.modules, OPENVINO_CONVERTER, None):
        openvino = import_module("openvino")
    if "convert_model" not in vars(openvino):
        vars(openvino)["__getattr__"] = _convert_model
    return openvino


def _convert_model(name: str) -> Any:
    if name != "convert_model":
        raise AttributeError(f"module 'openvino' has no attribute '{name}'")
    with _replaced(sys.modules, OPENVINO_REPORTER, None):
        return import_module(OPENVINO_CONVERTER).convert_model


def import_onnxruntime() -> Any:
    """The module `onnxruntime`, which reads its switch once, at its first import."""
    with _replaced(os.environ, ONNXRUNTIME_SWITCH, "1"):
        return import_module("onnxruntime")


def may_use_cuda() -> bool:
    """Whether the installed ONNX Runtime was built for CUDA, found out without importing it."""
    found = find_spec("onnxruntime")
    folders = [] if found is None else found.submodule_search_locations or []
    return any(Path(folder, "capi", name).exists() for folder in folders for name in CUDA_LIBRARIES)


@contextmanager
def _replaced(values: Any, name: str, value: str | ModuleType | None) -> Iterator[None]:
    """Within the block `values[name]` is `value`; afterwards it is as it was, because it is the whole program's."""
    absent = object()
    before = values.get(name, absent)
    values[name] = value
    try:
        yield
    finally:
        if before is absent:
            del values[name]
        else:
            values[name] = before
