"""Runs the network of a model package with OpenVINO, the fastest on a processor; imports it only when called."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.inference.backend import NetworkOutput, cannot_run, finite
from bustle.inference.package import CLASS_PROBS, IMAGE, MASK_PROBS, MODEL, Package
from bustle.inference.runtimes import import_openvino


class OpenVinoBackend:
    """The networks of a package as one graph, which gives their mean probabilities, image by image."""

    def __init__(self, package: Package, *, threads: int = 0):
        """Raises `InputError` for a model that is not the exported one; any other exception says it does not load."""
        openvino = import_openvino()
        self.runtime = f"OpenVINO {openvino.__version__}"
        self.mask_meaning = package.record.mask_meaning
        core = openvino.Core()
        content = package.checked(MODEL)
        model = core.read_model(content) if isinstance(content, bytes) else core.read_model(str(content))
        package.check_graph(*(_shapes(own) for own in (model.inputs, model.outputs)))
        _, *image = package.record.input.shape
        model.reshape([1, *map(int, image)])  # a graph of fixed size is faster, and a CPU gains nothing from batches
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}  # not bfloat16
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._compiled = core.compile_model(model, "CPU", settings)
        self._one_at_a_time = Lock()  # it has one request, which several threads may not share
        self._names = [_name(output.names) for output in self._compiled.outputs]

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`.

        Raises `InputError` where the output is not a number, and for a network that cannot be run.
        """
        try:
            answers = [self._one(image) for image in images]
        except Exception as error:  # its exceptions share no base but this
            raise cannot_run(self.runtime, error) from None
        return NetworkOutput(*(self._together(answers, name) for name in (MASK_PROBS, CLASS_PROBS)))

    def _one(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        with self._one_at_a_time:
            values = self._compiled(image[None])
            return {name: np.array(value) for name, value in zip(self._names, values.values(), strict=True)}

    def _together(self, answers: list[dict[str, NDArray[np.float32]]], name: str) -> NDArray[np.float32] | None:
        return finite(np.concatenate([answer[name] for answer in answers])) if name in self._names else None


def _shapes(tensors: Iterable[Any]) -> dict[str, list[int | None]]:
    return {
        _name(tensor.names): [length.get_length() if length.is_static else None for length in tensor.partial_shape]
        for tensor in tensors
    }


def _name(aliases: Collection[str]) -> str:
    """Which of the package's tensors it is: OpenVINO keeps the names of operations that it removed beside it."""
    known = {IMAGE, MASK_PROBS, CLASS_PROBS}.intersection(aliases)
    return min(known or aliases)


def is_installed() -> bool:
    return find_spec("openvino") is not None
