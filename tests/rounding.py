"""How far float32 results may lie apart on different processors: for what cannot be computed in float64.

ONNX Runtime and OpenVINO compute in float32. Everything else is compared in float64, with the fixture
`double_precision`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ORDERS = 16
"""How much further than one float32 run another may lie from the exact result.

The rounding errors of a sum of n terms behave as a random walk: added one after the other they grow with √n, added in
k lanes with √(n/k). Processors add in 1 to 64 lanes (AVX-512 with four accumulators), which is a factor of 8; twice
that, because the largest of many errors is compared.
"""


def sum_tolerance(terms: int) -> float:
    """How far a float32 sum of `terms` numbers may lie from the exact one, in units of the sum of their magnitudes.

    n u (Higham, as below), and where that is less, `ORDERS` times the random walk's √n u. For a chain of n operations
    on numbers up to 1 it is the same.
    """
    unit = float(np.finfo(np.float32).eps) / 2
    return min(terms, ORDERS * terms**0.5) * unit


def exact_outputs(network: nn.Module, image: Tensor) -> list[Tensor | None]:
    """The network's outputs in float64; the network stays as it is."""
    with torch.no_grad():
        return _outputs(copy.deepcopy(network).double()(image.double()))


def float32_tolerance(network: nn.Module, image: Tensor) -> float:
    """How far a float32 run may lie from the exact outputs on any processor, in units of an output's largest value.

    A bound from the lengths of the sums alone, n u Σ|terms| for each (Higham, "Accuracy and Stability of Numerical
    Algorithms", 2nd edition, eq. 3.5), multiplies through the layers to more than the outputs themselves. So the
    rounding of this network with these weights is measured on one float32 run, over all its outputs together, and
    `ORDERS` times that is allowed; no less than the rounding of one number.
    """
    with torch.no_grad():
        rounded = _outputs(network(image))
    measured = [
        float((one - whole).abs().max() / whole.abs().max())
        for one, whole in zip(rounded, exact_outputs(network, image), strict=True)
        if one is not None and whole is not None
    ]
    return ORDERS * max(*measured, torch.finfo(torch.float32).eps)


def assert_rounded(found: NDArray[np.float32] | Tensor, exact: Tensor, *, tolerance: float) -> None:
    """`found` is `exact` but for a `tolerance` from `float32_tolerance`."""
    difference = (torch.as_tensor(found).double() - exact).abs().max()
    assert difference <= tolerance * exact.abs().max(), f"{difference:.3g} apart"


def _outputs(answer: Tensor | Sequence[Tensor | None]) -> list[Tensor | None]:
    """A network answers with a tensor, or with a mask, classes and maps that only losses read."""
    return [answer] if isinstance(answer, Tensor) else list(answer[:2])
