"""Refined networks in packages: the graph makes all passes, the weights are the plain network's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bustle.export.package import KnownOfRun, write_package
from bustle.export.parity import TOLERANCE
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import Package
from bustle.inference.torch_backend import TorchBackend


@pytest.mark.parametrize(
    ("network", "size"), [("unet", (64, 64)), pytest.param("cms_vnet", (32, 32, 32), marks=pytest.mark.full)]
)
def test_the_graph_makes_all_passes(network: str, size: tuple[int, ...], make_weights: Callable, tmp_path: Path):
    recipe, weights = make_weights(network, refinements=1)
    out = tmp_path / "m.bustle"
    record = write_package(out, recipe=recipe, weights=weights, known=KnownOfRun())
    images = np.random.default_rng(0).normal(size=(3, recipe.data.channels, *size)).astype(np.float32)
    found = OnnxBackend(Package(out), device="cpu").run(images).mask_channels
    wanted = TorchBackend(recipe, weights=weights, device="cpu").run(images).mask_channels
    plain = replace(recipe, model=replace(recipe.model, refinements=0))
    once = TorchBackend(plain, weights=weights, device="cpu").run(images).mask_channels
    assert found is not None
    assert wanted is not None
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= TOLERANCE  # what the export itself takes for rounding, or it refuses
    assert np.abs(found - once).max() > 10 * TOLERANCE
    assert not (out / "weights.safetensors").exists()  # the graph holds them by name
    assert record.input.shape == ("batch", recipe.data.channels, *size)
    card = (out / "MODEL_CARD.md").read_text()
    assert ("in patches of 32 × 32 × 32 voxels of 0.5 mm" in card) == (len(size) == 3)
    assert ("stretched to 64 × 64 pixels" in card) == (len(size) == 2)
