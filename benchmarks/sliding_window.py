"""A V-Net over a whole volume on CPU, time and memory, in alternating processes, on one thread.

The network is the paper's V-Net without classes, with random weights, on patches that overlap by a quarter and are
blended by the same Gaussian. The peer is MONAI's `sliding_window_inference` on it, eager; bustle runs a package of
it, as `bustle predict` does. The roofline is the rate of a large matrix product. Memory is the peak of the whole
process.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks._process import measured, peak_bytes
from benchmarks._row import Ratio, Row
from bustle.core.run_layout import RunLayout

PEER = "monai.inferers.sliding_window_inference, the same network, eager"
Numbers = dict[str, float]


@dataclass(frozen=True)
class Size:
    """Volume and patch in voxels; `product_edge` of the square matrices of the roofline."""

    pairs: int
    volume: tuple[int, int, int]
    patch: tuple[int, int, int]
    product_edge: int
    own_process: bool = True


FULL = Size(pairs=3, volume=(192, 96, 192), patch=(128, 64, 128), product_edge=2048)
TINY = Size(pairs=1, volume=(32, 32, 40), patch=(32, 32, 32), product_edge=64, own_process=False)


def run(size: Size) -> list[Row]:
    times, memories, fractions = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "model.bustle"

        def numbers_of(what: str) -> Numbers:
            arguments = {"size": asdict(size), "what": what, "package": str(package)}
            return measured(measure, own_process=size.own_process, **arguments)

        operations = numbers_of("export")["operations"]
        for _ in range(size.pairs):
            peer, own = numbers_of("monai"), numbers_of("bustle")
            times.append(peer["seconds"] / own["seconds"])
            memories.append(peer["bytes"] / own["bytes"])
            fractions.append(operations / own["seconds"] / own["product_rate"])
    time, memory, fraction = Ratio.over(times), Ratio.over(memories), statistics.median(fractions)
    return [
        Row(goal="sliding window, time", peer=PEER, ratio=time, roofline_fraction=fraction),
        Row(goal="sliding window, memory", peer=PEER, ratio=memory),
    ]


def measure(size: dict[str, Any], what: str, package: str) -> Numbers:
    volume, patch, product_edge = tuple(size["volume"]), tuple(size["patch"]), size["product_edge"]
    if what == "export":
        return export(Path(package), volume=volume, patch=patch)
    predict = with_monai(patch) if what == "monai" else with_bustle(Path(package), patch)
    return timed(predict, volume=volume) | {"product_rate": product_rate(product_edge)}


def recipe_of(patch: tuple[int, ...]) -> Any:
    from bustle.core.recipe import load_recipe

    return load_recipe("cms_vnet_iter/vnet", overrides=[f"data.size={list(patch)}"])


def network() -> Any:
    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo

    torch.manual_seed(0)
    model = load_recipe("cms_vnet_iter/vnet").model
    return zoo.build(model.id, model.config, in_channels=1, class_count=2).eval()


def export(package: Path, *, volume: tuple[int, ...], patch: tuple[int, ...]) -> Numbers:
    """Write the package; the operations of all patches of a volume, a multiply-accumulate counting as two."""
    import math

    from safetensors.torch import save_file

    from bustle.export.package import KnownOfRun, write_package
    from bustle.models.description import describe

    recipe = recipe_of(patch)
    weights = RunLayout(package.parent).fold(0).weights
    weights.parent.mkdir()
    save_file(network().state_dict(), weights)
    write_package(package, recipe=recipe, weights=[weights], known=KnownOfRun())
    patches = math.prod(math.ceil((v - p) / (0.75 * p)) + 1 for v, p in zip(volume, patch, strict=True))
    return {"operations": patches * 2e9 * describe(recipe).gmacs}


def with_monai(patch: tuple[int, ...]) -> Any:
    import torch
    from monai.inferers import sliding_window_inference

    torch.set_num_threads(1)
    vnet = network()

    def predict(volume: Any) -> Any:
        image = torch.from_numpy(volume).float()[None] / 255
        with torch.inference_mode():
            return sliding_window_inference(
                image, patch, 1, lambda patch: vnet(patch).mask_logits.softmax(1), overlap=0.25, mode="gaussian"
            )

    return predict


def with_bustle(package: Path, patch: tuple[int, ...]) -> Any:
    import numpy as np

    from bustle.inference.package import Package
    from bustle.inference.package_backend import open_package
    from bustle.inference.sliding_window import blended

    backend = open_package(Package(package), device="cpu")

    def lesion_map(patch: Any) -> Any:
        found = backend.run(patch[None].astype(np.float32) / np.float32(255)).mask_channels
        assert found is not None, "the network draws"
        return found[0, 1:]

    return lambda volume: blended(volume, size=patch, run=lesion_map)


def timed(predict: Any, *, volume: tuple[int, ...]) -> Numbers:
    import time

    import numpy as np

    voxels = np.random.default_rng(0).integers(0, 256, (1, *volume), np.uint8)
    started = time.process_time()
    predict(voxels)
    return {"seconds": time.process_time() - started, "bytes": peak_bytes()}


def product_rate(edge: int) -> float:
    """Operations per second of a large matrix product."""
    import time

    import numpy as np

    a = np.random.default_rng(0).random((edge, edge), np.float32)
    rates = []
    for _ in range(3):
        started = time.process_time()
        np.matmul(a, a)
        rates.append(2 * edge**3 / (time.process_time() - started))
    return max(rates)
