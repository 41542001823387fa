"""`training.precision: auto` and `training.channels_last: auto`: what this machine trains this network fastest with.

bf16 is faster with the matrix units of some processors (AMX, AVX512-BF16) and of GPUs; without them it is emulated
and slower. Channels last is faster for most networks, but not for the weight gradients of all on all processors. No
flag of a processor tells by how much, and layers differ from network to network, so that steps are timed.
"""

from __future__ import annotations

import hashlib
import json

import torch
from torch import nn

from bustle.core.cache_folder import cache_directory
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.progress import announce
from bustle.core.recipe import Precision, Recipe
from bustle.core.run_provenance import MeasuredForm, MeasuredMemoryFormat, MeasuredPrecision
from bustle.models import zoo
from bustle.models.device import channels_last_format, find_device, hardware
from bustle.training.determinism import keeping_random_state
from bustle.training.precision import MixedPrecision
from bustle.training.timed_step import timed_step

TIMES = 4
"""The fastest counts: the first one sets things up, and other programs only make it slower."""
CASES = 2
"""In a batch: soon done, also for networks of volumes."""
GAIN = 0.9
"""bf16 rounds, and a change makes runs harder to compare, so that either must save at least a tenth of the time."""


def fastest_form(recipe: Recipe, *, device: str) -> MeasuredForm:
    """Time training steps of the recipe's network on random inputs, as far as it says `auto`.

    What was timed once is kept in the cache.
    """
    training = recipe.training
    if training.precision != "auto" and training.channels_last != "auto":
        return MeasuredForm()
    chosen_device = find_device(device)
    kept = cache_directory() / f"step-times-{_key(recipe, chosen_device)}.json"
    try:
        return from_mapping(MeasuredForm, read_json(kept), where=kept.name)
    except InputError:
        pass  # not timed yet, or damaged
    with keeping_random_state():
        timed = _TimedNetwork(recipe, chosen_device)
        form = MeasuredForm()
        if training.precision == "auto":
            form = MeasuredForm(precision=_fastest_precision(timed, channels_last=bool(training.channels_last)))
        if training.channels_last == "auto":
            precision = form.decide(training).precision
            form = MeasuredForm(
                precision=form.precision, memory_format=_fastest_memory_format(timed, precision=precision)
            )
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_json(kept, to_mapping(form))
    return form


def _key(recipe: Recipe, device: torch.device) -> str:
    """Of everything that decides the times: machine, library, network, the size of its input, and what is asked."""
    section, training = recipe.data, recipe.training
    facts = [
        to_mapping(hardware()),
        device.type,
        torch.__version__,
        to_mapping(recipe.model),
        [list(section.size), section.channels, len(section.classes), training.channels_last, training.precision],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


class _TimedNetwork:
    """The recipe's network, built when it is first timed."""

    def __init__(self, recipe: Recipe, device: torch.device):
        self.recipe = recipe
        self.device = device
        self._network: nn.Module | None = None

    def seconds(self, precision: Precision, *, channels_last: bool) -> float:
        if self._network is None:
            self._network = zoo.resolve(self.recipe).build().to(self.device)
        section = self.recipe.data
        images = torch.rand(CASES, section.channels, *section.size, device=self.device)
        memory_format = channels_last_format(images.ndim) if channels_last else torch.contiguous_format
        network = self._network.to(memory_format=memory_format)  # type: ignore[call-overload]
        return fastest_step(network, images.contiguous(memory_format=memory_format), precision=precision)


def fastest_step(network: nn.Module, images: torch.Tensor, *, precision: Precision) -> float:
    """Seconds of the fastest of a few steps."""
    with MixedPrecision(precision, device=images.device).autocast():
        return round(min(timed_step(network, images) for _ in range(TIMES)), 6)


def _fastest_precision(timed: _TimedNetwork, *, channels_last: bool) -> MeasuredPrecision:
    """The network is timed only where a convolution gains: emulated, one of its steps can take half a minute."""
    convolution = nn.Conv2d(64, 64, 3, padding=1).to(timed.device)
    images = torch.rand(2, 64, 56, 56, device=timed.device)
    seconds = {name: fastest_step(convolution, images, precision=name) for name in ("fp32", "bf16")}
    of_network = seconds["bf16"] < GAIN * seconds["fp32"]
    if of_network:
        seconds = {name: timed.seconds(name, channels_last=channels_last) for name in ("fp32", "bf16")}
    chosen = "bf16" if seconds["bf16"] < GAIN * seconds["fp32"] else "fp32"
    what = "a step" if of_network else "a convolution"
    announce(f"precision: {chosen} ({what} takes {_told(seconds)})")
    return MeasuredPrecision(chosen=chosen, timed="network" if of_network else "convolution", seconds=seconds)


def _fastest_memory_format(timed: _TimedNetwork, *, precision: Precision) -> MeasuredMemoryFormat:
    seconds = {
        "channels_last": timed.seconds(precision, channels_last=True),
        "contiguous": timed.seconds(precision, channels_last=False),
    }
    chosen = "contiguous" if seconds["contiguous"] < GAIN * seconds["channels_last"] else "channels_last"
    announce(f"memory format: {chosen} (a step takes {_told(seconds)})")
    return MeasuredMemoryFormat(chosen=chosen, seconds=seconds)


def _told(seconds: dict[str, float]) -> str:
    return ", ".join(f"{value:.2g} s in {name.replace('_', ' ')}" for name, value in seconds.items())
