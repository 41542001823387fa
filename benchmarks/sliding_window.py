"""Goal 6: a V-Net over a whole volume on CPU, time and memory, in alternating processes, on one thread.

The network is the paper's V-Net without classes, with random weights, on patches of 128 x 64 x 128 that overlap by a
quarter and are blended by the same Gaussian. The peer is MONAI's `sliding_window_inference` on it, eager; bustle runs
a package of it, as `bustle predict` does. The roofline is the rate of a large matrix product. Memory is
the peak of the whole process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bustle.core.recipe import Recipe, load_recipe

PAIRS = 3
VOLUME, PATCH = (192, 96, 192), (128, 64, 128)
PEER = "monai.inferers.sliding_window_inference, the same network, eager"


def run() -> list[dict[str, Any]]:
    times, memories, fractions = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "model.bustle"
        in_process("export", package)
        for _ in range(PAIRS):
            peer, own = in_process("monai", package), in_process("bustle", package)
            times.append(peer["seconds"] / own["seconds"])
            memories.append(peer["bytes"] / own["bytes"])
            fractions.append(own["roofline_fraction"])
    return [
        {"goal": "6: sliding window, time", "peer": PEER, "ratio": _spread(times)}
        | {"roofline_fraction": statistics.median(fractions)},
        {"goal": "6: sliding window, memory", "peer": PEER, "ratio": _spread(memories), "roofline_fraction": None},
    ]


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def in_process(what: str, package: Path) -> dict[str, float]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, what, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def recipe() -> Recipe:
    return load_recipe("cms_vnet_iter/vnet")


def network() -> Any:
    import torch

    from bustle.models import zoo

    torch.manual_seed(0)
    return zoo.build(recipe().model.id, recipe().model.config, in_channels=1, class_count=2).eval()


def export(package: Path) -> dict[str, float]:
    from safetensors.torch import save_file

    from bustle.export.package import write_package

    weights = package.parent / "fold-0" / "best.safetensors"
    weights.parent.mkdir()
    save_file(network().state_dict(), weights)
    write_package(package, recipe=recipe(), weights=[weights], training={}, metrics=(), seen_cases=())
    return {}


def with_monai() -> Any:
    import torch
    from monai.inferers import sliding_window_inference

    torch.set_num_threads(1)
    vnet = network()

    def predict(volume: Any) -> Any:
        image = torch.from_numpy(volume).float()[None] / 255
        with torch.inference_mode():
            return sliding_window_inference(
                image, PATCH, 1, lambda patch: vnet(patch).mask_logits.softmax(1), overlap=0.25, mode="gaussian"
            )

    return predict


def with_bustle(package: Path) -> Any:
    import numpy as np

    from bustle.inference.package import Package
    from bustle.inference.package_backend import open_package
    from bustle.inference.sliding_window import blended

    backend = open_package(Package(package), device="cpu")

    def lesion_map(patch: Any) -> Any:
        return backend.run(patch[None].astype(np.float32) / np.float32(255)).mask_channels[0, 1:]

    return lambda volume: blended(volume, size=PATCH, run=lesion_map)


def measure(predict: Any) -> dict[str, float]:
    import math
    import resource
    import time

    import numpy as np

    rng = np.random.default_rng(0)
    volume = rng.integers(0, 256, (1, *VOLUME), np.uint8)
    started = time.process_time()
    predict(volume)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    a = rng.random((2048, 2048), np.float32)
    rates = []
    for _ in range(3):
        begun = time.process_time()
        a @ a
        rates.append(2 * 2048**3 / (time.process_time() - begun))
    patches = math.prod(math.ceil((v - p) / (0.75 * p)) + 1 for v, p in zip(VOLUME, PATCH, strict=True))
    operations = patches * 2 * GMACS_OF_A_PATCH * 1e9
    return {"seconds": seconds, "bytes": peak, "roofline_fraction": operations / seconds / max(rates)}


GMACS_OF_A_PATCH = 110.8
"""`bustle models show cms_vnet_iter/vnet`."""

if __name__ == "__main__":
    what, package = sys.argv[1], Path(sys.argv[2])
    if what == "export":
        print(json.dumps(export(package)))
    else:
        print(json.dumps(measure(with_monai() if what == "monai" else with_bustle(package))))
