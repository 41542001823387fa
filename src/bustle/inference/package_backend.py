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

    A graph of several views goes to ONNX Runtime: OpenVINO is no faster there, and takes three times as long to load
    it. Raises `InputError` for a model that is not the exported one, that does not load, or an absent device.
    """
    on_cpu = device == "cpu" or (device == "auto" and not finds_cuda())
    found = _openvino(package) if on_cpu and package.record.views.is_single else None
    return found or OnnxBackend(package, device=device, threads=wanted_threads())


def cpu_backends(package: Package) -> list[Backend]:
    """Every library here that `open_package` may choose on some CPU. Raises `InputError` as it does."""
    found = [_openvino(package), OnnxBackend(package, device="cpu", threads=wanted_threads())]
    return [backend for backend in found if backend is not None]


def _openvino(package: Package) -> OpenVinoBackend | None:
    """None where it is not installed, or does not know an operation of the network."""
    if not is_installed():
        return None
    try:
        return OpenVinoBackend(package, threads=wanted_threads())
    except InputError:
        raise
    except Exception:  # its exceptions share no base but this; ONNX Runtime gives the same answers
        return None


def wanted_threads() -> int:
    """What OMP_NUM_THREADS asks for, which neither library heeds by itself; 0: all physical cores."""
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdecimal() else 0
