"""A network's weights from the graph of a model package, whose initialisers bear the network's own names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.files import check_regular

PREFIX = "networks.0.network."
"""Before the name of a weight of a package's only network."""


def read_onnx_weights(path: Path) -> dict[str, Tensor]:
    """All initialisers of an ONNX file by name, in single precision where they are stored in half.

    Raises `InputError` for a file that is absent or no such one.
    """
    import onnx  # only a training that starts from a package needs it

    try:
        check_regular(path)
        graph = onnx.load(path, load_external_data=False).graph
        arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except FileNotFoundError:
        raise InputError("no such model", remedy="give a package of `bustle export`", path=path) from None
    except Exception as error:  # the decoder of protobuf and what it hands on raise almost anything
        raise InputError(
            f"is not a readable ONNX file ({error})", remedy="copy or export it again", path=path
        ) from None
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}


def weights_named(names: Collection[str], stored: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """The weights of a network with these `names`, batch counters excepted; None where the graph lacks one."""
    # Nothing is computed with a batch norm's count of batches, so that a graph does not hold it.
    wanted = [name for name in names if not name.endswith("num_batches_tracked")]
    if not all(PREFIX + name in stored for name in wanted):
        return None
    return {name: stored[PREFIX + name] for name in wanted}
