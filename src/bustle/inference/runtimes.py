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
from types import ModuleType
from typing import Any

OPENVINO_REPORTER = "openvino_telemetry"
ONNXRUNTIME_SWITCH = "ORT_DISABLE_TELEMETRY"


def import_openvino() -> Any:
    """The module `openvino`, which takes its own stub where the package that reports is not found."""
    with _replaced(sys.modules, OPENVINO_REPORTER, None):
        return import_module("openvino")


def import_onnxruntime() -> Any:
    """The module `onnxruntime`, which reads its switch once, at its first import."""
    with _replaced(os.environ, ONNXRUNTIME_SWITCH, "1"):
        return import_module("onnxruntime")


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
