"""Peak memory of a training step of C_MSVNet at its full patch size and batch of two, with and without checkpointing.

Two fresh processes on CPU in fp32: two steps with Adam, the second of which has its moments. The peak is that of the
whole process with the interpreter and torch, about 0.5 GB; `bytes` of the JSON holds both. A GPU needs about as much
for the same tensors, and the work space of its convolutions beside it; bfloat16 halves the activations.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row


@dataclass(frozen=True)
class Size:
    """`overrides` of the recipe."""

    overrides: tuple[str, ...] = ()
    own_process: bool = True


FULL = Size()
TINY = Size(overrides=("data.size=[32, 32, 32]", "training.batch_size=1", "model.config.width=2"), own_process=False)


def run(size: Size) -> list[Row]:
    plain, saving = peak(size, checkpointing=False), peak(size, checkpointing=True)
    return [
        Row(
            goal="memory of a volume training step",
            peer="the same step without checkpointing",
            ratio=Ratio.over([plain / saving]),
            bytes={"plain": plain, "checkpointing": saving},
        )
    ]


def peak(size: Size, *, checkpointing: bool) -> int:
    overrides = [*size.overrides, f"model.config.checkpointing={str(checkpointing).lower()}"]
    return measured(measure, own_process=size.own_process, overrides=overrides)


def measure(overrides: list[str]) -> int:
    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo

    recipe = load_recipe("cms_vnet_iter", overrides=overrides)
    data = recipe.data
    network = zoo.build(
        recipe.model.id, recipe.model.config, in_channels=data.channels, class_count=len(data.classes)
    ).train()
    optimizer = torch.optim.Adam(network.parameters())
    volumes = torch.randn(recipe.training.batch_size, data.channels, *data.size)
    for _ in range(2):
        optimizer.zero_grad()
        output = network(volumes)
        (output.mask_logits.softmax(dim=1)[:, 1].mean() + output.class_logits.mean()).backward()
        optimizer.step()
    return peak_bytes()
