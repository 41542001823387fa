"""The backward pass of the modulated deformable convolution, and ACSNet's training step, on one thread.

The peer is torchvision's operator, given the same operands in turn with bustle's. Before anything is timed the
results and all gradients must agree to 1e-5 of the largest value of each. ACSNet is the same network of the same
weights and memory format both times, with its operator exchanged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from benchmarks._row import Ratio, Row
from bustle.core.config import to_mapping
from bustle.models import zoo
from bustle.models.blocks import deformable

Operator = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
OWN: Operator = deformable.deformable_conv
PEER = "torchvision.ops.deform_conv2d"
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Size:
    """`shapes`: channels and edge of the operator's maps; `tiny_network`: ACSNet as the tests build it."""

    batch: int
    shapes: tuple[tuple[int, int], ...]
    repeats: int
    network_batch: int
    network_edge: int
    network_repeats: int
    tiny_network: bool = False


# The maps of ACSNet's stages 6 and 7 at 256 x 256.
FULL = Size(batch=8, shapes=((512, 16), (256, 32)), repeats=3, network_batch=2, network_edge=256, network_repeats=2)
TINY = Size(
    batch=2, shapes=((8, 6),), repeats=1, network_batch=2, network_edge=64, network_repeats=1, tiny_network=True
)


def torchvisions(features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
    return deform_conv2d(features, offset, weight, padding=(1, 1), mask=mask)


def run(size: Size) -> list[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*(operator_row(size, *shape) for shape in size.shapes), network_row(size)]
    finally:
        torch.set_num_threads(threads)


def operator_row(size: Size, channels: int, edge: int) -> Row:
    torch.manual_seed(0)
    operands = (
        torch.randn(size.batch, channels, edge, edge),
        torch.randn(channels, channels, 3, 3) / (9 * channels) ** 0.5,
        torch.randn(size.batch, 18, edge, edge),
        torch.rand(size.batch, 9, edge, edge),
    )
    operands = tuple(operand.requires_grad_() for operand in operands)
    gradient = torch.randn(size.batch, channels, edge, edge)

    def backward(operator: Operator) -> tuple[float, list[Tensor]]:
        result = operator(*operands)
        started = time.process_time()
        gradients = torch.autograd.grad(result, operands, gradient)
        return time.process_time() - started, [result.detach(), *gradients]

    values, wanted = backward(OWN)[1], backward(torchvisions)[1]
    difference = max(float((v - w).abs().max() / w.abs().max()) for v, w in zip(values, wanted, strict=True))
    if difference > TOLERANCE:
        raise AssertionError(f"the operators differ by {difference:.1e} of the largest value")
    ratios = [backward(torchvisions)[0] / backward(OWN)[0] for _ in range(size.repeats)]
    goal = f"deformable convolution, backward, {channels} x {edge} x {edge}, differs by {difference:.1e}"
    return Row(goal=goal, peer=PEER, ratio=Ratio.over(ratios))


def network_row(size: Size) -> Row:
    torch.manual_seed(0)
    config = to_mapping(zoo.get("acsnet").tiny) if size.tiny_network else {}
    network = zoo.build("acsnet", config, in_channels=3, class_count=2)
    images = torch.randn(size.network_batch, 3, size.network_edge, size.network_edge)

    def step(operator: Operator) -> float:
        with exchanged(operator):
            started = time.process_time()
            output = network(images)
            (output.mask_logits.mean() + output.class_logits.mean()).backward()
            return time.process_time() - started

    step(OWN)
    ratios = [step(torchvisions) / step(OWN) for _ in range(size.network_repeats)]
    goal = f"training step of ACSNet, {size.network_edge} x {size.network_edge}"
    return Row(goal=goal, peer=PEER, ratio=Ratio.over(ratios))


@contextmanager
def exchanged(operator: Operator) -> Iterator[None]:
    deformable.deformable_conv = operator  # type: ignore[assignment]
    try:
        yield
    finally:
        deformable.deformable_conv = OWN  # type: ignore[assignment]
