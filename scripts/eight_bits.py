"""What the reference model loses and gains with convolutions in eight bits, on its validation part.

Usage: `.venv/bin/python scripts/eight_bits.py PACKAGE --data SPEC... --split SPLIT.json --json FILE`. Of the split's
only fold, training cases set the ranges of the values, and validation cases, which are in no test part, are answered
by the package's graph and by copies of it in eight bits (ONNX Runtime's static quantisation, a scale a channel). The
figures are the network's own on its own grid; speed is that of one thread, both graphs in turn on every image.
`scripts/generate_reference_page.py` makes the table of docs/reference/reference-model.md of the JSON.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from reference_views import RESAMPLES, figure, group_weights

from bustle.core.data_section import ImageData
from bustle.core.files import write_json
from bustle.core.progress import progress
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.intensities import normalise
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.classification import areas_under_roc
from bustle.inference.package import CLASS_PROBS, IMAGE, MASK_PROBS, MODEL, Package
from bustle.inference.runtimes import import_onnxruntime

onnxruntime = import_onnxruntime()
quantization = import_module("onnxruntime.quantization")

RANGING = 32
"""Training cases that set the ranges."""


@dataclass(frozen=True)
class Answers:
    """Of all cases: lesion masks `B h w`, class probabilities `B N`, processor seconds of each."""

    masks: np.ndarray
    classes: np.ndarray
    seconds: np.ndarray


class Ranging(quantization.CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self._images = iter(images)

    def get_next(self) -> Any:
        image = next(self._images, None)
        return None if image is None else {IMAGE: image[None]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    package, splits = Package(arguments.package), read_splits(arguments.split)
    section = package.record.preprocessing
    assert isinstance(section, ImageData)
    cases = {case.case_id: case for case in open_sources(arguments.data).cases}
    (fold,) = splits.folds
    ranging = np.random.default_rng(0).choice(fold.train, RANGING, replace=False)
    tested = CaseCache.open([cases[each] for each in fold.val], section=section)
    weights = group_weights([splits.groups[each] for each in fold.val])
    images = inputs(CaseCache.open([cases[each] for each in ranging], section=section), section=section)
    with tempfile.TemporaryDirectory() as folder:
        graph, folded = Path(folder) / "graph.onnx", Path(folder) / "folded.onnx"
        content = package.checked(MODEL)
        graph.write_bytes(content if isinstance(content, bytes) else Path(content).read_bytes())
        quantization.quant_pre_process(str(graph), str(folded), skip_symbolic_shape=True)
        rows = []
        for words, left_out in left_as_they_are(folded).items():
            small = Path(folder) / "small.onnx"
            quantise(folded, small, images=images, left_out=left_out)
            whole, eight = answers([graph, small], inputs(tested, section=section))
            row = compared(whole, eight, tested, section=section, weights=weights)
            rows.append({"quantised": words, "bytes": small.stat().st_size, **row})
    write_json(arguments.json, {"n": len(fold.val), "resamples": RESAMPLES, "rows": rows})


def inputs(cache: CaseCache, *, section: ImageData) -> np.ndarray:
    return np.stack([normalise(image, section=section) for image in cache.images]).astype(np.float32)


def left_as_they_are(graph: Path) -> Mapping[str, list[str]]:
    """What is quantised, in words, and the convolutions that are not."""
    model = onnx.load(graph)
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [
        node.name for node in convolutions if any(each.name == "group" and each.i > 1 for each in node.attribute)
    ]
    first = [node.name for node in convolutions if "conv_stem" in node.input[1]]
    last = [node.name for node in convolutions if shapes[node.input[1]][0] == 1]
    assert first, "no convolution looks at the image"
    assert last, "no convolution gives the mask"
    ends = [*first, *last]
    decoder = [node.name for node in convolutions if "decoder" in node.input[1] and node.name not in last]
    return {
        "all convolutions": [],
        "all but the first and the last": ends,
        "all but these and depthwise ones": [*ends, *depthwise],
        "those of the decoder alone": [node.name for node in convolutions if node.name not in decoder],
    }


def quantise(graph: Path, out: Path, *, images: np.ndarray, left_out: list[str]) -> None:
    quantization.quantize_static(
        str(graph),
        str(out),
        Ranging(images),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=left_out,
    )


def answers(graphs: Sequence[Path], images: np.ndarray) -> Iterator[Answers]:
    """Of each graph; all are asked about an image before the next one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = [onnxruntime.InferenceSession(str(graph), options) for graph in graphs]
    found: list[list[tuple[np.ndarray, np.ndarray, float]]] = [[] for _ in graphs]
    for image in progress(images, description="validation cases", total=len(images), unit="case"):
        for session, own in zip(sessions, found, strict=True):
            start = time.process_time()
            mask, classes = session.run([MASK_PROBS, CLASS_PROBS], {IMAGE: image[None]})
            own.append((np.asarray(mask)[0, 0] > 0.5, np.asarray(classes)[0], time.process_time() - start))
    return (Answers(*map(np.array, zip(*own, strict=True))) for own in found)


def compared(
    whole: Answers, eight: Answers, cache: CaseCache, *, section: ImageData, weights: np.ndarray
) -> dict[str, Any]:
    """The change of Dice, of lesions missed and of the AUC, with intervals over groups, and how much faster it is."""
    truth = np.stack([cache.lesion_masks[number] > 0 for number in range(len(whole.masks))])
    with_lesion = truth.any((1, 2))
    names = [section.classes.index(name) for name in ("benign", "malignant")]
    labelled = np.isin(cache.labels, names)
    malignant = np.asarray(cache.labels)[labelled] == names[1]
    own = weights[:, with_lesion]
    dices = [dice(each.masks[with_lesion], truth[with_lesion]) for each in (whole, eight)]
    areas = [
        areas_under_roc(malignant, each.classes[labelled][:, names[1]], weights=weights[:, labelled])
        for each in (whole, eight)
    ]
    means = [own @ each / own.sum(axis=1) for each in (*dices, *((each == 0).astype(float) for each in dices))]
    return {
        "dice": figure(means[0]),
        "dice_difference": figure(means[1] - means[0]),
        "missed_difference": figure(means[3] - means[2]),
        "auc": figure(areas[0]),
        "auc_difference": figure(areas[1] - areas[0]),
        "times_as_fast": float(np.median(whole.seconds / eight.seconds)),
    }


def dice(drawn: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return 2 * (drawn & truth).sum((1, 2)) / (drawn.sum((1, 2)) + truth.sum((1, 2)))


if __name__ == "__main__":
    main()
