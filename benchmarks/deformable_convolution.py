"""Goal 3: the backward pass of the modulated deformable convolution, and ACSNet's training step, on one thread.

The peer is torchvision's operator, given the same operands in turn with bustle's. Before anything is timed the
results and all gradients must agree to 1e-5 of the largest value of each. ACSNet is the same network of the same
weights and memory format both times, with its operator exchanged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from bustle.models import zoo
from bustle.models.blocks import deformable

Operator = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
OWN: Operator = deformable.deformable_conv
PEER = "torchvision.ops.deform_conv2d"
BATCH, SHAPES, REPEATS = 8, ((512, 16), (256, 32)), 3
"""Channels and edge of the maps of ACSNet's stages 6 and 7 at 256 x 256."""
NETWORK_BATCH, NETWORK_REPEATS = 2, 2
TOLERANCE = 1e-5


def torchvisions(features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
    return deform_conv2d(features, offset, weight, padding=1, mask=mask)


def run() -> list[dict[str, Any]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*(operator_row(*shape) for shape in SHAPES), network_row()]
    finally:
        torch.set_num_threads(threads)


def operator_row(channels: int, edge: int) -> dict[str, Any]:
    torch.manual_seed(0)
    operands = (
        torch.randn(BATCH, channels, edge, edge),
        torch.randn(channels, channels, 3, 3) / (9 * channels) ** 0.5,
        torch.randn(BATCH, 18, edge, edge),
        torch.rand(BATCH, 9, edge, edge),
    )
    operands = tuple(operand.requires_grad_() for operand in operands)
    gradient = torch.randn(BATCH, channels, edge, edge)

    def backward(operator: Operator) -> tuple[float, list[Tensor]]:
        result = operator(*operands)
        started = time.process_time()
        gradients = torch.autograd.grad(result, operands, gradient)
        return time.process_time() - started, [result.detach(), *gradients]

    values, wanted = backward(OWN)[1], backward(torchvisions)[1]
    difference = max(float((v - w).abs().max() / w.abs().max()) for v, w in zip(values, wanted, strict=True))
    if difference > TOLERANCE:
        raise AssertionError(f"the operators differ by {difference:.1e} of the largest value")
    ratios = [backward(torchvisions)[0] / backward(OWN)[0] for _ in range(REPEATS)]
    goal = f"3: deformable convolution, backward, {channels} x {edge} x {edge}, differs by {difference:.1e}"
    return row(goal, ratios)


def network_row() -> dict[str, Any]:
    torch.manual_seed(0)
    network = zoo.build("acsnet", {}, in_channels=3, class_count=2)
    images = torch.randn(NETWORK_BATCH, 3, 256, 256)

    def step(operator: Operator) -> float:
        with exchanged(operator):
            started = time.process_time()
            output = network(images)
            (output.mask_logits.mean() + output.class_logits.mean()).backward()
            return time.process_time() - started

    step(OWN)
    ratios = [step(torchvisions) / step(OWN) for _ in range(NETWORK_REPEATS)]
    return row("3: training step of ACSNet, 256 x 256", ratios)


@contextmanager
def exchanged(operator: Operator) -> Iterator[None]:
    deformable.deformable_conv = operator  # type: ignore[assignment]
    try:
        yield
    finally:
        deformable.deformable_conv = OWN  # type: ignore[assignment]


def row(goal: str, ratios: list[float]) -> dict[str, Any]:
    ratio = {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}
    return {"goal": goal, "peer": PEER, "ratio": ratio, "roofline_fraction": None}
