"""Less memory in training for more time: maps within a stage are computed again when the gradient needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointed(stage: nn.Module, *inputs: Tensor) -> Tensor:
    """`stage(*inputs)`, of which only inputs and output are kept for the backward pass.

    The second computation leaves the statistics of batch norms alone; their counter of batches counts it.
    """
    output = checkpoint(
        stage,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), _without_new_statistics(stage)),
    )
    assert isinstance(output, Tensor)
    return output


@contextlib.contextmanager
def _without_new_statistics(stage: nn.Module) -> Iterator[None]:
    momenta = {module: module.momentum for module in stage.modules() if isinstance(module, _BatchNorm)}
    try:
        for norm in momenta:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
