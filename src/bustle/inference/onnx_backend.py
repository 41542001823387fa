"""Runs the network of a model package with ONNX Runtime, without torch; imports it only when called."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.inference.backend import NetworkOutput, cannot_run, finite
from bustle.inference.package import CLASS_MAPS, CLASS_PROBS, COPY_AGAIN, EMBEDDING, IMAGE, MASK_PROBS, MODEL, Package
from bustle.inference.runtimes import import_onnxruntime, may_use_cuda
from bustle.inference.shuffled_graph import shuffled_graph

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
FATAL_ONLY = 4
"""Its errors are raised as well."""


class OnnxBackend:
    """The networks of a package as one graph, which gives their mean probabilities.

    On a CPU image by image: a batch takes more memory. With the seed `shuffle` the entries of every weight are in
    another order.
    """

    def __init__(self, package: Package, *, device: str = "auto", threads: int = 0, shuffle: int | None = None):
        """Raises `InputError` for a model that is not the exported one, that does not load, or an absent device."""
        onnxruntime = import_onnxruntime()
        self.runtime = f"ONNX Runtime {onnxruntime.__version__}"
        self.mask_meaning = package.record.mask_meaning
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = FATAL_ONLY
        wanted = [CUDA] if device != "cpu" and finds_cuda() else []
        model = package.checked(MODEL)
        if shuffle is not None:
            model = shuffled_graph(model, seed=shuffle)
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=[*wanted, CPU])
        except Exception as error:  # its exceptions share no base but this
            raise InputError(
                f"{MODEL} does not load in {self.runtime} ({error})",
                remedy=f"install a newer onnxruntime, or {COPY_AGAIN}",
                path=package.path,
            ) from None
        if device.startswith("cuda") and CUDA not in self._session.get_providers():
            raise InputError(
                "ONNX Runtime finds no CUDA device", remedy="use --device cpu, or install onnxruntime-gpu"
            )
        inputs, outputs = (
            {tensor.name: [length if isinstance(length, int) else None for length in tensor.shape] for tensor in own}
            for own in (self._session.get_inputs(), self._session.get_outputs())
        )
        package.check_graph(inputs, outputs)
        self.gives_class_maps = CLASS_MAPS in outputs
        self._outputs = [name for name in outputs if name != CLASS_MAPS]
        self._at_once = 1 if self._session.get_providers()[0] == CPU else None

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`.

        Raises `InputError` where the output is not a number, and for a network that cannot be run.
        """
        found = self._run(self._outputs, images)
        return NetworkOutput(found.get(MASK_PROBS), found.get(CLASS_PROBS), found.get(EMBEDDING))

    def class_maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each cell adds to the class logits, `B N *s`; raises as `run`."""
        return self._run([CLASS_MAPS], images)[CLASS_MAPS]

    def _run(self, names: Sequence[str], images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        step = self._at_once or len(images)
        parts = (images[start : start + step] for start in range(0, len(images), step))
        try:
            answers = [self._session.run(names, {IMAGE: part}) for part in parts]
        except Exception as error:  # its exceptions share no base but this
            raise cannot_run(self.runtime, error) from None
        return {
            name: finite(np.concatenate(values))
            for name, values in zip(names, zip(*answers, strict=True), strict=True)
        }


def finds_cuda() -> bool:
    """Whether ONNX Runtime was built for CUDA and finds it."""
    return may_use_cuda() and CUDA in import_onnxruntime().get_available_providers()
