"""Weights in half precision: half of the file, computed with as before in single precision.

The filters and matrices are rounded, everything small (biases, norms) stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn


def round_to_half(network: nn.Module) -> None:
    """Round the network's filters and matrices to what half precision holds."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.copy_(parameter.half().to(parameter.dtype))


def store_in_half(path: Path, names: Collection[str]) -> None:
    """Store those of the graph's weights `names` that are filters or matrices in half precision.

    The file at `path` is written again; a cast in front of every use brings them back, which the libraries that run
    the graph do once, when they load it.
    """
    model = onnx.load(path)
    renamed, casts = {}, []
    for tensor in model.graph.initializer:
        if tensor.name in names and len(tensor.dims) >= 2:
            halved = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(halved, tensor.name))
            renamed[tensor.name] = f"{tensor.name}_as_float32"
            casts.append(helper.make_node("Cast", [tensor.name], [renamed[tensor.name]], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
    model.graph.ClearField("node")
    model.graph.node.extend([*casts, *nodes])
    for value in list(model.graph.value_info):
        if value.name in renamed:
            model.graph.value_info.remove(value)
    onnx.save(model, path)
