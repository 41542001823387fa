"""A model package made by hand, without PyTorch: mask = sigmoid(4 x), malignant = sigmoid(mean of x).

Its class maps are the means of 8 x 8 cells of 64 pixels: none for benign, what they add to that mean for malignant.
Its embedding is 100 times the mean.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from tests.rounding import sum_tolerance

from bustle.core.config import to_mapping
from bustle.core.data_section import ImageData, PatchData
from bustle.core.model_provenance import NetworkWeights
from bustle.core.network import MaskMeaning
from bustle.inference.package import (
    FORMAT_VERSION,
    PackageRecord,
    TensorRecord,
    case_digest,
    sealed,
)
from bustle.inference.training_cases import TrainingCases

SIZE = (64, 64)
PATCH = (32, 32, 32)
ROUNDING = sum_tolerance(SIZE[0] * SIZE[1]) / 4
"""Of a class probability of the package: the mean over all pixels, through a sigmoid of slope 1/4 or less."""


def scene(height: int, width: int) -> np.ndarray:
    image = np.full((1, height, width), 20, np.uint8)
    image[:, height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 235
    return image


def graph(
    gain: float = 4.0,
    *,
    size: tuple[int, ...] = SIZE,
    with_classes: bool = True,
    with_class_maps: bool = False,
    with_embedding: bool = False,
) -> bytes:
    nodes = [
        helper.make_node("Mul", ["image", "gain"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["mask_probs"]),
    ]
    outputs = [helper.make_tensor_value_info("mask_probs", TensorProto.FLOAT, ["batch", 1, *size])]
    if with_classes:
        nodes += [
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Mul", ["flat", "zero"], ["benign"]),
            helper.make_node("Concat", ["benign", "flat"], ["both"], axis=1),
            helper.make_node("Softmax", ["both"], ["class_probs"], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info("class_probs", TensorProto.FLOAT, ["batch", 2]))
    if with_class_maps:
        nodes += [
            helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Mul", ["cells", "share"], ["added"]),
            helper.make_node("Mul", ["cells", "zero"], ["nothing"]),
            helper.make_node("Concat", ["nothing", "added"], ["class_maps"], axis=1),
        ]
        outputs.append(helper.make_tensor_value_info("class_maps", TensorProto.FLOAT, ["batch", 2, 8, 8]))
    if with_embedding:
        nodes.append(helper.make_node("Mul", ["flat", "hundred"], ["embedding"]))
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 1]))
    constants = [
        helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0]),
        helper.make_tensor("gain", TensorProto.FLOAT, [], [gain]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("share", TensorProto.FLOAT, [], [1 / 64]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, *size])
    model = helper.make_model(
        helper.make_graph(nodes, "net", [image], outputs, constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_package(
    folder: Path,
    *,
    content: bytes | None = None,
    with_classes: bool = True,
    with_class_maps: bool = False,
    cases: TrainingCases | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write the package `folder`, whose `model.onnx` is `content`, by default `graph()`; returns the folder.

    Images are compared with the `cases`. `changes` are made to the record's keys before it is sealed.
    """
    classes = TensorRecord(name="class_probs", shape=("batch", 2), channels=("benign", "malignant"))
    maps = TensorRecord(name="class_maps", shape=("batch", 2, 8, 8), channels=("benign", "malignant"))
    embedding = TensorRecord(name="embedding", shape=("batch", 1))
    made = graph(with_class_maps=with_class_maps, with_embedding=cases is not None)
    files = {
        "model.onnx": made if content is None else content,
        "weights.safetensors": b"weights",
    }
    record = PackageRecord(
        format_version=FORMAT_VERSION,
        title="By hand",
        recipe="hand",
        network="by_hand",
        citation="none",
        deviations=(),
        input=TensorRecord(name="image", shape=("batch", 1, *SIZE)),
        outputs=(
            TensorRecord(name="mask_probs", shape=("batch", 1, *SIZE), channels=("lesion",)),
            *([classes] if with_classes else []),
            *([maps] if with_class_maps else []),
            *([embedding] if cases is not None else []),
        ),
        preprocessing=ImageData(size=SIZE, channels=1, mean=(0.5,), std=(0.5,)),
        mask_meaning=MaskMeaning(("lesion",), "sigmoid", (0,)),
        decision=None,
        protocol="rmtl",
        weights=(NetworkWeights(fold="fold-0", sha256="ab"),),
        training=None,
        metrics=(),
        seen_cases=(case_digest("site/a"),),
        seen_images=(),
        training_cases=cases,
        licence="none",
        parity=None,
        half=False,
        versions={"bustle": "0.1.0"},
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    )
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    mapping = to_mapping(record) | dict(changes or {})
    (folder / "package.json").write_text(json.dumps(sealed(mapping)))
    return folder


def write_volume_package(folder: Path) -> Path:
    """The same for volumes: patches of `PATCH` voxels of 1 mm."""
    tensor = ("batch", 1, *PATCH)
    classes = TensorRecord(name="class_probs", shape=("batch", 2), channels=("benign", "malignant"))
    mask = TensorRecord(name="mask_probs", shape=tensor, channels=("lesion",))
    changes = {
        "input": TensorRecord(name="image", shape=tensor),
        "outputs": (mask, classes),
        "preprocessing": PatchData(size=PATCH, spacing_mm=1.0, channels=1, mean=(0.5,), std=(0.5,)),
    }
    return write_package(folder, content=graph(size=PATCH), changes=to_mapping(changes))
