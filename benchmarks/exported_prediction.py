"""A batch of one image through a network, exported as a package, against the same network eager, on one thread.

The peers are segmentation-models-pytorch's own U-Net, and ACSNet with torchvision's deformable convolution (the
authors' own layout is not in this project). Both sides have the same random weights and images. The package is run by
the fastest library that is installed, as `bustle predict` does: its name is in the goal. No pixel of a mask may flip
but where the probability is a half to 1e-4, as many of an untrained network's are.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._row import Ratio, Row
from benchmarks.deformable_convolution import exchanged, torchvisions
from bustle.core.recipe import Recipe, load_recipe
from bustle.models import zoo
from bustle.models.description import describe

CLOSE_TO_HALF = 1e-4


@dataclass(frozen=True)
class Network:
    """`peer` is what it is measured against."""

    goal: str
    recipe: str
    overrides: tuple[str, ...]
    peer: str


def of_smp(encoder: str, *more: str) -> Network:
    chosen = (f"model.config.backbone={encoder}", *more)
    return Network(f"U-Net on {encoder}", "smp_segmenter", chosen, f"smp.Unet('{encoder}'), eager")


ACSNET = Network("ACSNet", "acsnet", (), "ACSNet with torchvision.ops.deform_conv2d, eager")
SMALL = of_smp("tu-test_resnet", "model.config.options={encoder_depth: 3, decoder_channels: [16, 8, 8]}")


@dataclass(frozen=True)
class Size:
    """`edge` of the square images, `product_edge` of the square matrices of the roofline."""

    networks: tuple[Network, ...]
    repeats: int
    edge: int
    product_edge: int


FULL = Size(networks=(of_smp("resnet18"), of_smp("resnet50"), ACSNET), repeats=5, edge=256, product_edge=2048)
TINY = Size(networks=(SMALL,), repeats=1, edge=32, product_edge=64)


def run(size: Size) -> list[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row_of(network, size) for network in size.networks]
    finally:
        torch.set_num_threads(threads)


def row_of(chosen: Network, size: Size) -> Row:
    from bustle.inference.onnx_backend import OnnxBackend
    from bustle.inference.openvino_backend import OpenVinoBackend, is_installed
    from bustle.inference.package import Package

    overrides = ["model.encoder_weights=null", f"data.size={[size.edge] * 2}", *chosen.overrides]
    recipe = load_recipe(chosen.recipe, overrides=overrides)
    network = _built(recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = _exported(network, recipe, folder=Path(folder))
        package = Package(path)
        backend = OpenVinoBackend(package, threads=1) if is_installed() else OnnxBackend(package, threads=1)
    images = np.random.default_rng(0).normal(size=(1, 3, size.edge, size.edge)).astype(np.float32)

    def eager() -> tuple[float, NDArray[np.float32]]:
        inputs = torch.from_numpy(images)
        started = time.process_time()
        with torch.inference_mode(), exchanged(torchvisions):
            probabilities = network(inputs).mask_logits.sigmoid()
        return time.process_time() - started, probabilities.numpy()

    def exported() -> tuple[float, NDArray[np.float32]]:
        started = time.process_time()
        masks = backend.run(images).mask_channels
        assert masks is not None
        return time.process_time() - started, masks

    flipped = _flipped(eager()[1], exported()[1])
    if flipped:
        raise AssertionError(f"{flipped} pixels of {chosen.goal} flip")
    times = [(eager()[0], exported()[0]) for _ in range(size.repeats)]
    operations = 2e9 * describe(recipe).gmacs
    own = statistics.median(pair[1] for pair in times)
    return Row(
        goal=f"{chosen.goal}, exported fp32, {size.edge} x {size.edge}, {backend.runtime.split('-')[0]}",
        peer=chosen.peer,
        ratio=Ratio.over([peer / mine for peer, mine in times]),
        roofline_fraction=operations / own / _product_rate(size.product_edge),
    )


def _built(recipe: Recipe) -> torch.nn.Module:
    torch.manual_seed(0)
    classes = len(recipe.data.classes)
    channels = recipe.data.channels
    return zoo.build(recipe.model.id, recipe.model.config, in_channels=channels, class_count=classes).eval()


def _exported(network: torch.nn.Module, recipe: Recipe, *, folder: Path) -> Path:
    from safetensors.torch import save_file

    from bustle.core.run_layout import RunLayout
    from bustle.export.package import KnownOfRun, write_package

    weights = RunLayout(folder / "run").fold(0).weights
    weights.parent.mkdir(parents=True)
    save_file(network.state_dict(), weights)
    write_package(folder / "model.bustle", recipe=recipe, weights=[weights], known=KnownOfRun())
    return folder / "model.bustle"


def _flipped(peer: NDArray[np.float32], own: NDArray[np.float32]) -> int:
    """Pixels of different masks, but those whose probability is about a half."""
    sure = np.abs(peer - 0.5) > CLOSE_TO_HALF
    return int(((peer > 0.5) != (own > 0.5))[sure].sum())


def _product_rate(edge: int) -> float:
    """Operations per second of a large matrix product."""
    a = torch.randn(edge, edge)
    rates = []
    for _ in range(3):
        started = time.process_time()
        torch.mm(a, a)
        rates.append(2 * edge**3 / (time.process_time() - started))
    return max(rates)
