"""Which library runs the network of a model package: the fastest one that is installed and can."""

from __future__ import annotations

import os

from bustle.core.errors import InputError
from bustle.inference.backend import Backend
from bustle.inference.onnx_backend import OnnxBackend, finds_cuda
from bustle.inference.openvino_backend import OpenVinoBackend, is_installed
from bustle.inference.package import Package


def open_package(package: Package, *, device: str) -> Backend:
    """OpenVINO on a CPU where it is installed, else ONNX Runtime, which can also use a CUDA device.

    Raises `InputError` for a model that is not the exported one, that does not load, or an absent device.
    """
    on_cpu = device == "cpu" or (device == "auto" and not finds_cuda())
    threads = wanted_threads()
    if on_cpu and is_installed():
        try:
            return OpenVinoBackend(package, threads=threads)
        except InputError:
            raise
        except Exception:  # its exceptions share no base but this; ONNX Runtime gives the same answers
            pass
    return OnnxBackend(package, device=device, threads=threads)


def wanted_threads() -> int:
    """What OMP_NUM_THREADS asks for, which neither library heeds by itself; 0: all physical cores."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdecimal() else 0
