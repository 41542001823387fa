"""A training step on CPU with and without `keep_freed_memory`, in alternating processes.

The network is that of the `rmtl_net_cpu` recipe at its own size and batch, from random weights.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

PAIRS = 3
STEPS = 3


def seconds_per_step(*, keep: bool) -> float:
    """CPU seconds of one forward and backward pass in a fresh process."""
    done = subprocess.run([sys.executable, __file__, str(int(keep))], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def run() -> list[dict[str, Any]]:
    ratios = [seconds_per_step(keep=False) / seconds_per_step(keep=True) for _ in range(PAIRS)]
    ratio = {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}
    return [{"goal": "memory kept", "peer": "the C library's default", "ratio": ratio, "roofline_fraction": None}]


def measure(keep: bool) -> float:
    import time

    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo
    from bustle.training.memory_allocator import keep_freed_memory

    if keep:
        keep_freed_memory()
    recipe = load_recipe("rmtl_net_cpu")
    data = recipe.data
    network = zoo.build(
        recipe.model.id, recipe.model.config, in_channels=data.channels, class_count=len(data.classes)
    ).to(memory_format=torch.channels_last)
    images = torch.randn(recipe.training.batch_size, data.channels, *data.size)
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        output = network(images)
        (output.mask_logits.mean() + output.class_logits.mean()).backward()

    step()
    started = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - started) / STEPS


if __name__ == "__main__":
    print(json.dumps(measure(bool(int(sys.argv[1])))))
