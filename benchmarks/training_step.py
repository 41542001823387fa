"""Goal 4: a training step of a U-Net with ResNet-18 on CPU, in alternating processes, on one thread.

The network is segmentation-models-pytorch's both times. The peer trains it with a plain loop; bustle's loop keeps
freed memory in the process, puts channels last where the recipe's `channels_last` says so (all do), and updates
through the same optimiser. The roofline is the rate of a large matrix product in bustle's process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

PAIRS, STEPS, BATCH, EDGE = 3, 2, 8, 256
PEER = "smp.Unet('resnet18'), plain eager loop"


def run() -> list[dict[str, Any]]:
    ratios, fractions = [], []
    for _ in range(PAIRS):
        peer, own = in_process(own=False), in_process(own=True)
        ratios.append(peer["seconds"] / own["seconds"])
        fractions.append(own["roofline_fraction"])
    ratio = {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}
    fraction = statistics.median(fractions)
    return [{"goal": "4: r18 training step on CPU", "peer": PEER, "ratio": ratio, "roofline_fraction": fraction}]


def in_process(*, own: bool) -> dict[str, float]:
    """CPU seconds of one step in a fresh process, and its share of the roofline."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, str(int(own))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def measure(own: bool) -> dict[str, float]:
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
    images = torch.randn(BATCH, 3, EDGE, EDGE)
    truth = (torch.rand(BATCH, 1, EDGE, EDGE) > 0.5).float()
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
    for _ in range(STEPS):
        step()
    seconds = (time.process_time() - started) / STEPS
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    rates = []
    for _ in range(3):
        started = time.process_time()
        a @ b
        rates.append(2 * 2048**3 / (time.process_time() - started))
    return {"seconds": seconds, "roofline_fraction": counter.get_total_flops() / seconds / max(rates)}


if __name__ == "__main__":
    print(json.dumps(measure(bool(int(sys.argv[1])))))
