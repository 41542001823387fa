"""Views in packages: the graph makes them of one image, with the weights of one network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from bustle.core.views import Views
from bustle.export.package import KnownOfRun, write_package
from bustle.export.parity import TOLERANCE
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import Package
from bustle.inference.predictor import Predictor
from bustle.inference.torch_backend import TorchBackend


@pytest.mark.full
def test_the_graph_looks_at_every_view_and_holds_the_weights_once(make_weights: Callable, tmp_path: Path):
    plain, weights = make_weights("lesion_pooled_unet")
    recipe = replace(plain, views=Views(scales=(1.0, 0.5), mirrored=True))
    out = tmp_path / "m.bustle"
    record = write_package(out, recipe=recipe, weights=weights, known=KnownOfRun(), half=True)
    assert Package(out).record == record
    assert (record.views, record.input.shape) == (recipe.views, ("batch", 3, 64, 64))
    assert record.parity is not None
    assert len(record.parity.runtimes) == 2
    assert not (out / "weights.safetensors").exists(), "the graph holds them by name"
    stored = sum(len(tensor.raw_data) for tensor in onnx.load(out / "model.onnx").graph.initializer)
    assert stored < 0.7 * weights[0].stat().st_size
    images = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    found = OnnxBackend(Package(out), device="cpu").run(images)
    wanted = TorchBackend(recipe, weights=weights, device="cpu").run(images)
    once = TorchBackend(plain, weights=weights, device="cpu").run(images)
    half = 1e-3  # the package's weights are rounded to eleven bits
    for one, other, single in zip(found[:2], wanted[:2], once[:2], strict=True):
        assert one is not None
        assert np.abs(one - other).max() < half
        assert np.abs(single - other).max() > TOLERANCE
    predictor = Predictor.open(out, device="cpu")
    picture = np.random.default_rng(1).integers(0, 255, (1, 64, 64), np.uint8)
    seen, turned = (predictor.predict(one, case_id="a") for one in (picture, picture[..., ::-1].copy()))
    assert seen.provenance.views == recipe.views
    assert seen.segmentation is not None
    assert turned.segmentation is not None
    back = turned.segmentation.probability[:, ::-1]
    assert np.allclose(back, seen.segmentation.probability, rtol=0, atol=TOLERANCE)
    assert turned.class_probabilities == pytest.approx(seen.class_probabilities, abs=TOLERANCE)
