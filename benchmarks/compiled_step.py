"""Whether `torch.compile` pays: training steps of a compiled network beside those of the same network as it is.

Forward and backward pass in channels last, in the precision that is faster here, on the device that there is; on a
processor with one thread. `preparation` is what the first compiled step takes longer, which every training, and every
other size of a batch, would pay again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchmarks._process import measured
from benchmarks._row import Ratio, Row


@dataclass(frozen=True)
class Size:
    recipes: tuple[str, ...]
    settings: tuple[str, ...]
    steps: int
    backend: str = "inductor"
    own_process: bool = True


FULL = Size(recipes=("reference", "smp_segmenter", "acsnet"), settings=("training.batch_size=8",), steps=5)
TINY = Size(
    recipes=("cmunext",),
    settings=("data.size=[32, 32]", "training.batch_size=2"),
    steps=1,
    backend="aot_eager",  # needs no C++ compiler
    own_process=False,
)


def run(size: Size) -> list[Row]:
    rows = []
    for recipe in size.recipes:
        found = measured(
            spend,
            own_process=size.own_process,
            recipe=recipe,
            settings=size.settings,
            steps=size.steps,
            backend=size.backend,
        )
        print(f"{recipe}: {found['preparation']:.0f} s of preparation", flush=True)
        rows.append(
            Row(
                goal=f"{recipe} in {found['precision']} on {found['device']}: training step compiled",
                peer="not compiled",
                ratio=Ratio.over([peer / own for peer, own in zip(found["eager"], found["compiled"], strict=True)]),
                each={"seconds": min(found["compiled"]), "peer_seconds": min(found["eager"])}
                | {"preparation_seconds": found["preparation"]},
            )
        )
    return rows


def spend(recipe: str, settings: list[str], steps: int, backend: str) -> dict[str, Any]:
    """Seconds of the steps by turns, and of the preparation."""
    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo
    from bustle.models.device import channels_last_format, find_device
    from bustle.training.fastest_form import fastest_form
    from bustle.training.memory_allocator import keep_freed_memory
    from bustle.training.precision import MixedPrecision
    from bustle.training.timed_step import timed_step

    device = find_device("auto")
    if device.type == "cpu":
        torch.set_num_threads(1)
        keep_freed_memory()
    chosen = load_recipe(recipe, overrides=["model.encoder_weights=null", *settings, "training.precision=auto"])
    chosen = replace(chosen, training=fastest_form(chosen, device=device.type).decide(chosen.training))
    memory_format = channels_last_format(4)
    network = zoo.resolve(chosen).build().to(device).to(memory_format=memory_format)  # pyright: ignore
    images = torch.rand(chosen.training.batch_size, chosen.data.channels, *chosen.data.size, device=device)
    images = images.contiguous(memory_format=memory_format)
    compiled: Any = torch.compile(network, backend=backend)
    with MixedPrecision(chosen.training.precision, device=device).autocast():
        timed_step(network, images)
        first = timed_step(compiled, images)
        times = [(timed_step(network, images), timed_step(compiled, images)) for _ in range(steps)]
    eager, own = zip(*times, strict=True)
    return {
        "eager": eager,
        "compiled": own,
        "preparation": first - min(own),
        "precision": chosen.training.precision,
        "device": device.type,
    }
