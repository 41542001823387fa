"""`training.precision: auto`: whether a training step of this network is faster in bf16 on this machine.

It is with the matrix units of some processors (AMX, AVX512-BF16) and of GPUs; without them bf16 is emulated and
slower. No flag of a processor tells by how much, and layers that no unit speeds up differ from network to network, so
that steps are timed.
"""

from __future__ import annotations

import hashlib
import json
import math
import time

import torch
from torch import Tensor, nn

from bustle.core.cache_folder import cache_directory
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.progress import announce
from bustle.core.recipe import Recipe
from bustle.core.run_provenance import MeasuredPrecision
from bustle.models import zoo
from bustle.models.device import channels_last_format, find_device, hardware
from bustle.training.determinism import keeping_random_state
from bustle.training.precision import MixedPrecision

TIMES = 4
"""The fastest counts: the first one sets things up, and other programs only make it slower."""
CASES = 2
"""In a batch: soon done, also for networks of volumes."""
GAIN = 0.9
"""bf16 rounds, so that it must save at least a tenth of the time."""


def fastest_precision(recipe: Recipe, *, device: str) -> MeasuredPrecision:
    """Time training steps of the recipe's network on random inputs; what was timed once is kept in the cache."""
    chosen_device = find_device(device)
    kept = cache_directory() / f"step-times-{_key(recipe, chosen_device)}.json"
    try:
        return from_mapping(MeasuredPrecision, read_json(kept), where=kept.name)
    except InputError:
        pass  # not timed yet, or damaged
    with keeping_random_state():
        measured = _measured(recipe, device=chosen_device)
    fp32, bf16 = measured.seconds["fp32"], measured.seconds["bf16"]
    step = "a step" if measured.timed == "network" else "a convolution"
    announce(f"precision: {measured.chosen} ({step} takes {fp32:.2g} s in fp32, {bf16:.2g} s in bf16)")
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_json(kept, to_mapping(measured))
    return measured


def _key(recipe: Recipe, device: torch.device) -> str:
    """Of everything that decides the times: machine, library, network and the size of its input."""
    section = recipe.data
    facts = [
        to_mapping(hardware()),
        device.type,
        torch.__version__,
        to_mapping(recipe.model),
        [list(section.size), section.channels, len(section.classes), recipe.training.channels_last],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _measured(recipe: Recipe, *, device: torch.device) -> MeasuredPrecision:
    """The network is timed only where a convolution gains: emulated, one of its steps can take half a minute."""
    convolution = nn.Conv2d(64, 64, 3, padding=1).to(device)
    seconds = _seconds(convolution, torch.rand(2, 64, 56, 56, device=device))
    if seconds["bf16"] >= GAIN * seconds["fp32"]:
        return MeasuredPrecision(chosen="fp32", timed="convolution", seconds=seconds)
    network = zoo.resolve(recipe).build().to(device)
    images = torch.rand(CASES, recipe.data.channels, *recipe.data.size, device=device)
    if recipe.training.channels_last:
        network = network.to(memory_format=channels_last_format(images.ndim))
        images = images.contiguous(memory_format=channels_last_format(images.ndim))
    seconds = _seconds(network, images)
    faster = seconds["bf16"] < GAIN * seconds["fp32"]
    return MeasuredPrecision(chosen="bf16" if faster else "fp32", timed="network", seconds=seconds)


def _seconds(network: nn.Module, images: Tensor) -> dict[str, float]:
    """Of forward and backward pass, by precision; losses and updates are small beside them, and equal in both."""
    return {
        "fp32": _seconds_in(MixedPrecision("fp32", device=images.device), network, images),
        "bf16": _seconds_in(MixedPrecision("bf16", device=images.device), network, images),
    }


def _seconds_in(precision: MixedPrecision, network: nn.Module, images: Tensor) -> float:
    fastest = math.inf
    for _ in range(TIMES):
        started = time.perf_counter()
        with precision.autocast():
            output = network(images)
        heads = (output,) if isinstance(output, Tensor) else (output.mask_logits, output.class_logits)
        torch.stack([head.float().mean() for head in heads if head is not None]).sum().backward()
        if images.device.type == "cuda":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - started)
        network.zero_grad(set_to_none=True)
    return round(fastest, 6)
