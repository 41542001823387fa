"""Training a network on the device that there is: images per second, and what waiting for data takes.

Both sides teach the network of a recipe (by default a U-Net over ResNet-18, segmentation-models-pytorch's) the mask
of the lesion, in the precision that is faster here, in alternating processes. bustle's is its own loop over batches
from the prepared cache; the peer is a plain loop over PyTorch's DataLoader, which reads PNG files with PIL and
augments them there, beside a GPU in workers. The changes are those of `cached_augmentation`. A step is the same loop
over one batch that is there already, so that what the loop takes longer is the data's. On a processor one thread
works and its time counts; on a GPU it is the clock's, and nothing waits for the device but the ends of what is timed.
The roofline is the rate of a large matrix product in bustle's process.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._process import measured
from benchmarks._row import Ratio, Row

if TYPE_CHECKING:
    import torch

    from bustle.core.recipe import Recipe
    from bustle.core.types import Batch

WORKERS = 8
"""Of the peer's DataLoader beside a GPU, where there are as many processors."""
MEAN, DEVIATION = 0.33, 0.204


@dataclass(frozen=True)
class Size:
    """`edge` of the square images, `product_edge` of the roofline's square matrices; `changes` of the `recipe`."""

    pairs: int
    cases: int
    cases_on_gpu: int
    batch: int
    edge: int
    product_edge: int
    own_process: bool = True
    recipe: str = "smp_segmenter"
    changes: tuple[str, ...] = ()


FULL = Size(pairs=3, cases=16, cases_on_gpu=2048, batch=8, edge=256, product_edge=2048)
TINY = Size(pairs=1, cases=4, cases_on_gpu=8, batch=2, edge=32, product_edge=64, own_process=False)


def run(size: Size) -> list[Row]:
    from benchmarks.cached_augmentation import write_pngs
    from bustle.models.device import find_device
    from bustle.training.fastest_form import fastest_form

    device = find_device("auto").type
    recipe = _recipe(size, "auto")
    precision = fastest_form(recipe, device=device).decide(recipe.training).precision
    cases = size.cases if device == "cpu" else size.cases_on_gpu
    peers, owns = [], []
    with tempfile.TemporaryDirectory() as folder:
        write_pngs(Path(folder), cases)
        for _ in range(size.pairs):
            for seconds, measure in ((peers, plain_loop), (owns, own_loop)):
                seconds.append(
                    measured(
                        measure,
                        own_process=size.own_process,
                        size=asdict(size),
                        folder=folder,
                        cases=cases,
                        precision=precision,
                        device=device,
                    )
                )
    for name, side in (("bustle", owns), ("peer", peers)):
        rate = statistics.median(cases / each["loop"] for each in side)
        for_data = statistics.median(1 - each["steps"] / each["loop"] for each in side)
        print(f"{name} trains {rate:.3g} images per second, {100 * for_data:.1f} % of the time for the data")
    return [
        Row(
            goal=f"{' '.join([recipe.title, *size.changes])} in {precision} on {device}: {goal}",
            peer=peer,
            ratio=Ratio.over([theirs[timed] / ours[timed] for theirs, ours in zip(peers, owns, strict=True)]),
            roofline_fraction=statistics.median(each["flops"] / each[timed] / each["rate"] for each in owns),
            each={
                "seconds": statistics.median(each[timed] / cases for each in owns),
                "peer_seconds": statistics.median(each[timed] / cases for each in peers),
            },
        )
        for goal, peer, timed in (
            ("training loop", "plain eager loop, DataLoader, PIL from PNG", "loop"),
            ("training step", "plain eager loop", "steps"),
        )
    ]


def own_loop(size: dict[str, Any], folder: str, cases: int, precision: str, device: str) -> dict[str, float]:
    """Seconds of an epoch (`loop`) and of as many `steps`, the operations of those, and what a product reaches."""
    import cv2
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.cached_augmentation import made_cases
    from bustle.data.prepared.cache import CaseCache
    from bustle.training.batch_sources import BatchSources
    from bustle.training.building import build_learner
    from bustle.training.determinism import repeatable
    from bustle.training.memory_allocator import keep_freed_memory

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if device == "cpu":
        keep_freed_memory()
    given = Size(**size)
    recipe = _recipe(given, precision)
    cache = CaseCache.open(made_cases(cases), section=recipe.data, directory=Path(folder))
    learner = build_learner(
        recipe,
        cache=cache,
        train=cache.case_ids,
        val=(),
        located_only=False,
        device=torch.device(device),
        init=None,
        takes=None,
        resuming=False,
    )
    real = learner.batches
    ready = next(iter(real.training(0)))

    def epoch(batches: Any) -> None:
        learner.batches = batches
        learner.train_epoch(0, on_batch=lambda loss: None)

    def again(times: int) -> BatchSources:
        made: Any = lambda epoch: _Again(ready, times)  # noqa: E731
        return BatchSources(made, None)

    with repeatable(learner.device):
        epoch(again(1))
        loop = _timed(lambda: epoch(real), device)
        steps = _timed(lambda: epoch(again(cases // given.batch)), device)
    with FlopCounterMode(display=False) as counter:
        learner.learning(ready.image).mask_logits.mean().backward()
    return {
        "loop": loop,
        "steps": steps,
        "flops": counter.get_total_flops() * cases / given.batch,
        "rate": _product_rate(given.product_edge, precision, device),
    }


def plain_loop(size: dict[str, Any], folder: str, cases: int, precision: str, device: str) -> dict[str, float]:
    """The peer's seconds of an epoch (`loop`) and of as many `steps`."""
    import torch
    from torch.nn import functional
    from torch.utils.data import DataLoader

    from bustle.models import zoo
    from bustle.training.precision import HALF_TYPES

    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = Size(**size)
    network = zoo.resolve(_recipe(given, precision)).build().to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    on_gpu = device != "cpu"
    workers = min(WORKERS, os.cpu_count() or 1) if on_gpu else 0
    loader: Any = DataLoader(
        _Pngs(Path(folder), cases, given.edge),  # pyright: ignore[reportArgumentType]
        batch_size=given.batch,
        shuffle=True,
        num_workers=workers,
        pin_memory=on_gpu,
        persistent_workers=workers > 0,
    )
    half = HALF_TYPES.get(precision)

    def epoch(batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
        for images, masks in batches:
            images, masks = images.to(device, non_blocking=True), masks.to(device, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device, dtype=half, enabled=half is not None):
                logits = network(images).mask_logits[:, :1]
            functional.binary_cross_entropy_with_logits(logits.float(), masks).backward()
            optimizer.step()

    torch.backends.cudnn.benchmark = True
    images, masks = next(iter(loader))
    ready = images.to(device), masks.to(device)
    epoch([ready])
    return {
        "loop": _timed(lambda: epoch(loader), device),
        "steps": _timed(lambda: epoch([ready] * (cases // given.batch)), device),
    }


class _Again:
    """One batch many times, as an epoch's."""

    def __init__(self, batch: Batch, times: int):
        self.batch = batch
        self.sizes = [len(batch.case_ids)] * times

    def __iter__(self) -> Iterator[Batch]:
        return iter([self.batch] * len(self.sizes))


class _Pngs:
    def __init__(self, folder: Path, cases: int, edge: int):
        self.folder = folder
        self.cases = cases
        self.edge = edge

    def __len__(self) -> int:
        return self.cases

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        from benchmarks.cached_augmentation import augmented_by_pil

        image, mask = augmented_by_pil(self.folder, number, draw=random.Random(), edge=self.edge)
        normalised = (torch.from_numpy(image).float() / 255 - MEAN) / DEVIATION
        return normalised[None], (torch.from_numpy(mask) > 0).float()[None]


def _recipe(size: Size, precision: str) -> Recipe:
    from dataclasses import replace

    from benchmarks.cached_augmentation import COMPONENTS
    from bustle.core.recipe import load_recipe

    settings = [
        "model.encoder_weights=null",
        "losses=[{name: mask_cross_entropy}]",
        f"training.batch_size={size.batch}",
    ]
    settings += [f"training.precision={precision}", f"data.size=[{size.edge}, {size.edge}]", "data.channels=1"]
    settings += [f"data.mean=[{MEAN}]", f"data.std=[{DEVIATION}]"]
    return replace(load_recipe(size.recipe, overrides=[*settings, *size.changes]), augmentation=COMPONENTS)


def _product_rate(edge: int, precision: str, device: str) -> float:
    """Operations per second of a square matrix product."""
    import torch

    from bustle.training.precision import HALF_TYPES

    half = HALF_TYPES.get(precision, torch.float32)
    a, b = (torch.randn(edge, edge, device=device).to(half) for _ in range(2))
    times = 1 if device == "cpu" else 20
    return 2 * edge**3 * times / min(_timed(lambda: [torch.mm(a, b) for _ in range(times)], device) for _ in range(3))


def _timed(work: Callable[[], object], device: str) -> float:
    """Seconds: of the processor where it does the work, of the clock where it waits for a GPU."""
    if device == "cpu":
        started = time.process_time()
        work()
        return time.process_time() - started
    import torch

    torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started
