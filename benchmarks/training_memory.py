"""A training step on CPU with and without `keep_freed_memory`, in alternating processes.

The network is that of the `rmtl_net_cpu` recipe at its own size and batch, from random weights.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks._process import measured
from benchmarks._row import Ratio, Row


@dataclass(frozen=True)
class Size:
    """`overrides` of the recipe."""

    pairs: int
    steps: int
    overrides: tuple[str, ...] = ()
    own_process: bool = True


FULL = Size(pairs=3, steps=3)
TINY = Size(pairs=1, steps=1, overrides=("data.size=[32, 32]", "training.batch_size=2"), own_process=False)


def run(size: Size) -> list[Row]:
    ratios = [seconds_per_step(size, keep=False) / seconds_per_step(size, keep=True) for _ in range(size.pairs)]
    return [Row(goal="memory kept", peer="the C library's default", ratio=Ratio.over(ratios))]


def seconds_per_step(size: Size, *, keep: bool) -> float:
    """CPU seconds of one forward and backward pass."""
    return measured(measure, own_process=size.own_process, size=asdict(size), keep=keep)


def measure(size: dict[str, Any], keep: bool) -> float:
    import time

    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo
    from bustle.training.memory_allocator import keep_freed_memory

    if keep:
        keep_freed_memory()
    recipe = load_recipe("rmtl_net_cpu", overrides=size["overrides"])
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
    for _ in range(size["steps"]):
        step()
    return (time.process_time() - started) / size["steps"]
