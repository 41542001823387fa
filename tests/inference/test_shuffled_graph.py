"""A package's network forgets what it learned, and nothing else of the graph changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bustle.inference.explanation.check import SEED
from bustle.inference.onnx_backend import OnnxBackend
from bustle.inference.package import Package
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import named_model
from bustle.inference.shuffled_graph import shuffled_graph

REFERENCE = named_model(Path("reference"))


def initializers(model: bytes) -> dict[str, np.ndarray]:
    graph = onnx.load_from_string(model).graph
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}


@pytest.mark.parametrize("stored", [np.float32, np.float16])
def test_the_entries_of_weights_change_places_and_what_is_no_weight_stays(stored: type):
    constants = {
        "networks.0.network.weight": np.arange(60, dtype=stored).reshape(3, 4, 5),
        "networks.0.network.steps": np.arange(60),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["same"])],
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, [1])],
        initializer=[onnx.numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph).SerializeToString()
    found = initializers(shuffled_graph(model, seed=0))
    weight, before = (each.pop("networks.0.network.weight") for each in (found, constants))
    assert weight.shape == before.shape
    assert weight.dtype == before.dtype
    assert (weight != before).mean() > 0.9
    assert sorted(weight.ravel()) == sorted(before.ravel())
    assert all(np.array_equal(found[name], values) for name, values in constants.items())
    assert shuffled_graph(model, seed=0) == shuffled_graph(model, seed=0) != shuffled_graph(model, seed=1)


def test_the_shipped_package_forgets_and_still_answers():
    check = Predictor.open(REFERENCE, device="cpu").explanation_check()
    image = np.random.default_rng(0).random((1, 1, 176, 224), np.float32)
    assert check.forgetful is not None
    own, other = (backend.run(image).classes for backend in (check.backend, check.forgetful))
    assert own is not None
    assert other is not None
    assert np.abs(own - other).max() > 0.01
    again = OnnxBackend(Package(REFERENCE), device="cpu", shuffle=SEED).class_maps(image)
    assert np.array_equal(again, check.forgetful.class_maps(image))
    maps = check.backend.class_maps(image)
    assert np.corrcoef(maps.ravel(), again.ravel())[0, 1] < 0.9
