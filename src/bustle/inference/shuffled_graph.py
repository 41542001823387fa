"""The graph of a model package that has forgotten what it learned, for comparison."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

NETWORKS = "networks."
"""What the names of the networks' own weights and statistics begin with; other constants make the graph work."""


def can_shuffle() -> bool:
    """Whether `onnx` is installed, which comes with the extra `train`."""
    return find_spec("onnx") is not None


def shuffled_graph(model: bytes | Path, *, seed: int) -> bytes:
    """An ONNX model in which the entries of every weight and of every statistic are in another order.

    Their sizes stay what they were, so that it computes with numbers like the model's own; a network in PyTorch is
    shuffled likewise (`models/shuffled.py`).
    """
    import onnx

    loaded = onnx.load(io.BytesIO(model) if isinstance(model, bytes) else model, load_external_data=False)
    random = np.random.default_rng(seed)
    for tensor in loaded.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if tensor.name.startswith(NETWORKS) and np.issubdtype(values.dtype, np.floating):
            order = random.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(order, tensor.name))
    return loaded.SerializeToString()
