"""The trained networks of one recipe as a single ONNX graph, from normalised images to mean probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import Tensor, nn

from bustle.core.network import MaskMeaning
from bustle.core.views import Views
from bustle.export.half_weights import store_in_half
from bustle.inference.package import CLASS_MAPS, CLASS_PROBS, EMBEDDING, IMAGE, MASK_PROBS, TensorRecord
from bustle.inference.torch_backend import mean_probabilities
from bustle.models.class_features import reading_class_features
from bustle.models.class_maps import offers_class_maps
from bustle.models.refinement import Refined
from bustle.models.views import answers_to_views, answers_with_class_maps, mean_of_views


class Projection(NamedTuple):
    """From the networks' class features `B F` to embeddings `B D`: `(features - offset F) @ matrix F D`."""

    offset: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def embeddings(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((features - self.offset) @ self.matrix, np.float32)


class MeanProbabilities(nn.Module):
    """`image B C h w` to the mean probabilities of several networks and views; what they do not give is left out.

    After them come the networks' mean class maps, where all of them offer such, and the embedding, where there is a
    `projection`. `class_count` is None of networks that classify nothing.
    """

    embedding_offset: Tensor | None
    embedding_matrix: Tensor | None

    def __init__(
        self,
        networks: Sequence[Refined],
        *,
        views: Views,
        meaning: MaskMeaning | None,
        class_count: int | None,
        projection: Projection | None,
    ):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.views = views
        self.meaning = meaning
        self.class_count = class_count
        self.gives_class_maps = class_count is not None and all(map(offers_class_maps, networks))
        offset, matrix = (None, None) if projection is None else map(torch.from_numpy, projection)
        self.register_buffer("embedding_offset", offset)
        self.register_buffer("embedding_matrix", matrix)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        outputs, maps, features = [], [], []
        for network in self.networks:
            assert isinstance(network, Refined)
            with self._reading_features(network) as found:
                if self.gives_class_maps:
                    answers, own = answers_with_class_maps(network, image, self.views)
                    maps.append(own)
                else:
                    answers = answers_to_views(network, image, self.views)
            outputs += answers
            features += [mean_of_views(found, self.views)] if found else []
        means = mean_probabilities(outputs, self.meaning, gives_classes=self.class_count is not None)
        given = [mean for mean in means if mean is not None]
        if maps:
            given.append(torch.stack(maps).mean(dim=0))
        if self.embedding_matrix is not None and self.embedding_offset is not None:
            given.append((torch.cat(features, dim=1) - self.embedding_offset) @ self.embedding_matrix)
        return tuple(given)

    def _reading_features(self, network: Refined) -> AbstractContextManager[list[Tensor]]:
        """Gathers what the embedding is made of, where there is one."""
        if self.embedding_matrix is None or self.class_count is None:
            return nullcontext([])
        return reading_class_features(network, class_count=self.class_count)


def write_onnx(
    path: Path,
    networks: Sequence[Refined],
    *,
    views: Views,
    meaning: MaskMeaning | None,
    classes: Sequence[str] | None,
    channels: int,
    size: Sequence[int],
    half: bool = False,
    projection: Projection | None = None,
) -> tuple[TensorRecord, tuple[TensorRecord, ...]]:
    """Write the graph for any number of images of one size `h w`; returns its input and its outputs.

    It answers with the mean over the `views`. Its initialisers bear the names of the networks' weights. With `half`
    the large ones are stored in half precision. Without a `meaning` or `classes` (None) the graph leaves that answer
    of the networks out; with a `projection` it also embeds the images.
    """
    class_count = None if classes is None else len(classes)
    module = MeanProbabilities(
        networks, views=views, meaning=meaning, class_count=class_count, projection=projection
    ).eval()
    module = module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    module.requires_grad_(False)  # otherwise torch traces for a training too, which takes a fifth longer
    images = torch.zeros(2, channels, *size)  # two, because torch.export takes a single one for a constant
    program = torch.export.export(module, (images,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    outputs = _outputs(program, meaning=meaning, classes=classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torch's own use of its interfaces
        exported = torch.onnx.export(
            program,
            (),
            input_names=[IMAGE],
            output_names=[output.name for output in outputs],
            verbose=False,
            optimize=False,  # which would merge norms into convolutions, as whoever loads the graph does
        )
        assert exported is not None
        fold_constants(exported.model)
        _drop_false_biases(exported.model)
        remove_unused_nodes(exported.model)
    for node in exported.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, which name folders of this machine
    exported.save(path, external_data=False)
    if half:
        store_in_half(path, [name for name, _ in module.named_parameters()])
    return TensorRecord(name=IMAGE, shape=("batch", channels, *size)), outputs


def _drop_false_biases(model: Any) -> None:
    """A 3D convolution without a bias gets one of zeros `C 2` from onnxscript 0.7, which ONNX Runtime refuses."""
    for node in model.graph.all_nodes():
        bias = node.inputs[2] if node.op_type == "Conv" and len(node.inputs) > 2 else None
        if bias is not None and bias.const_value is not None and len(bias.const_value.shape) != 1:
            assert not bias.const_value.numpy().any()
            node.resize_inputs(2)


def _outputs(
    program: torch.export.ExportedProgram, *, meaning: MaskMeaning | None, classes: Sequence[str] | None
) -> tuple[TensorRecord, ...]:
    """The outputs in the graph's order: masks before and class maps after the class probabilities have more axes.

    The embedding, which comes last, has two as well.
    """
    (values,) = (node.args[0] for node in program.graph.nodes if node.op == "output")
    records = []
    for value in values:  # type: ignore[union-attr]
        shape = tuple(value.meta["val"].shape)[1:]  # type: ignore[union-attr]
        given = {record.name for record in records}
        if len(shape) > 1 and CLASS_PROBS not in given:
            assert meaning is not None
            name, names = MASK_PROBS, meaning.channels
        elif len(shape) == 1 and CLASS_PROBS in given:
            name, names = EMBEDDING, ()
        else:
            assert classes is not None
            name, names = (CLASS_MAPS if CLASS_PROBS in given else CLASS_PROBS), tuple(classes)
        records.append(TensorRecord(name=name, shape=("batch", *map(int, shape)), channels=names))
    return tuple(records)
