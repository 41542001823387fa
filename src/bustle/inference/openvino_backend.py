"""Runs the network of a model package with OpenVINO, the fastest on a processor; imports it only when called."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.inference.backend import NetworkOutput, cannot_run, finite
from bustle.inference.package import CLASS_MAPS, CLASS_PROBS, EMBEDDING, IMAGE, MASK_PROBS, MODEL, Package
from bustle.inference.runtimes import import_openvino


class OpenVinoBackend:
    """The networks of a package as one graph, which gives their mean probabilities, image by image.

    What explains them is compiled apart when it is first asked for: OpenVINO computes all outputs that it compiles.
    """

    def __init__(self, package: Package, *, threads: int = 0):
        """Raises `InputError` for a model that is not the exported one; any other exception says it does not load."""
        openvino = import_openvino()
        self.runtime = f"OpenVINO {openvino.__version__}"
        self.mask_meaning = package.record.mask_meaning
        content = package.checked(MODEL)
        self._model = _core().read_model(content if isinstance(content, bytes) else str(content))
        package.check_graph(*(_shapes(own) for own in (self._model.inputs, self._model.outputs)))
        _, *image = package.record.input.shape
        # A graph of fixed size is faster, and a CPU gains nothing from batches.
        self._model.reshape([1, *map(int, image)])
        self._settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._names = [_name(output.names) for output in self._model.outputs]
        self.gives_class_maps = CLASS_MAPS in self._names
        self._one_at_a_time = Lock()  # a compiled graph has one request, which several threads may not share
        self._compiled = self._compile([name for name in self._names if name != CLASS_MAPS])
        self._explaining: Any = None

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`.

        Raises `InputError` where the output is not a number, and for a network that cannot be run.
        """
        found = self._run(self._compiled, images)
        return NetworkOutput(found.get(MASK_PROBS), found.get(CLASS_PROBS), found.get(EMBEDDING))

    def class_maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each cell adds to the class logits, `B N *s`; raises as `run`."""
        with self._one_at_a_time:
            self._explaining = self._explaining or self._compile([CLASS_MAPS])
        return self._run(self._explaining, images)[CLASS_MAPS]

    def _compile(self, names: Collection[str]) -> Any:
        """The graph with these of its outputs only."""
        model = self._model
        if len(names) < len(self._names):
            openvino = import_openvino()
            kept = [result for result, name in zip(model.get_results(), self._names, strict=True) if name in names]
            model = openvino.Model(kept, model.get_parameters())
        return _core().compile_model(model, "CPU", self._settings)

    def _run(self, compiled: Any, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        names = [_name(output.names) for output in compiled.outputs]
        try:
            answers = [self._one(compiled, image) for image in images]
        except Exception as error:  # its exceptions share no base but this
            raise cannot_run(self.runtime, error) from None
        return {
            name: finite(np.concatenate(values))
            for name, values in zip(names, zip(*answers, strict=True), strict=True)
        }

    def _one(self, compiled: Any, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with self._one_at_a_time:
            return [np.array(value) for value in compiled(image[None]).values()]


@cache
def _core() -> Any:
    """One for the whole process, which is never closed.

    Each gives the thread that first compiles with it a stack of its own for signals, and the one before back when it
    is closed. Of two, the first closed first, the second gives back what is gone: the next Ctrl-C ends the process.
    """
    return import_openvino().Core()


def _shapes(tensors: Iterable[Any]) -> dict[str, list[int | None]]:
    return {
        _name(tensor.names): [length.get_length() if length.is_static else None for length in tensor.partial_shape]
        for tensor in tensors
    }


def _name(aliases: Collection[str]) -> str:
    """Which of the package's tensors it is: OpenVINO keeps the names of operations that it removed beside it."""
    known = {IMAGE, MASK_PROBS, CLASS_PROBS, CLASS_MAPS, EMBEDDING}.intersection(aliases)
    return min(known or aliases)


def is_installed() -> bool:
    return find_spec("openvino") is not None
