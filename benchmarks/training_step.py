"""A training step of a U-Net with ResNet-18 on CPU, in alternating processes, on one thread.

The network is segmentation-models-pytorch's both times. The peer trains it with a plain loop; bustle's loop keeps
freed memory in the process, puts channels last where the recipe's `channels_last` says so (all do), and updates
through the same optimiser. The roofline is the rate of a large matrix product in bustle's process.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._process import measured
from benchmarks._row import Ratio, Row


@dataclass(frozen=True)
class Size:
    """`edge` of the square images, `product_edge` of the square matrices of the roofline."""

    pairs: int
    steps: int
    batch: int
    edge: int
    product_edge: int
    own_process: bool = True


FULL = Size(pairs=3, steps=2, batch=8, edge=256, product_edge=2048)
TINY = Size(pairs=1, steps=1, batch=2, edge=32, product_edge=64, own_process=False)


def run(size: Size) -> list[Row]:
    ratios, fractions = [], []
    for _ in range(size.pairs):
        peer, own = (
            measured(measure, own_process=size.own_process, size=asdict(size), own=own) for own in (False, True)
        )
        ratios.append(peer["seconds"] / own["seconds"])
        fractions.append(own["roofline_fraction"])
    return [
        Row(
            goal="r18 training step on CPU",
            peer="smp.Unet('resnet18'), plain eager loop",
            ratio=Ratio.over(ratios),
            roofline_fraction=statistics.median(fractions),
        )
    ]


def measure(size: dict[str, int], own: bool) -> dict[str, float]:
    """CPU seconds of one step, and its share of the roofline."""
    import time

    import segmentation_models_pytorch as smp
    import torch
    from torch.nn import functional as F
    from torch.utils.flop_counter import FlopCounterMode

    from bustle.core.recipe import TrainingSection
    from bustle.models.device import channels_last_format
    from bustle.training.memory_allocator import keep_freed_memory

    torch.set_num_threads(1)
    torch.manual_seed(0)
    network: Any = smp.Unet("resnet18", encoder_weights=None)
    images = torch.randn(size["batch"], 3, size["edge"], size["edge"])
    truth = (torch.rand(size["batch"], 1, size["edge"], size["edge"]) > 0.5).float()
    if own:
        keep_freed_memory()
        if TrainingSection().channels_last:
            network = network.to(memory_format=channels_last_format(images.ndim))
            images = images.contiguous(memory_format=channels_last_format(images.ndim))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        F.binary_cross_entropy_with_logits(network(images), truth).backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step()
    started = time.process_time()
    for _ in range(size["steps"]):
        step()
    seconds = (time.process_time() - started) / size["steps"]
    edge = size["product_edge"]
    a, b = torch.randn(edge, edge), torch.randn(edge, edge)
    rates = []
    for _ in range(3):
        started = time.process_time()
        torch.mm(a, b)
        rates.append(2 * edge**3 / (time.process_time() - started))
    return {"seconds": seconds, "roofline_fraction": counter.get_total_flops() / seconds / max(rates)}
