"""Writes a model package: the graph, the weights, what is known about them, and a card for people."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import nn

from bustle.core.claimed_output import claim_file
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file, write_json, write_text
from bustle.core.image_sketch import ImageSketch
from bustle.core.model_provenance import NetworkWeights
from bustle.core.network import Head, MaskMeaning
from bustle.core.provenance import versions
from bustle.core.recipe import Recipe
from bustle.evaluation.figures import Subgroup
from bustle.evaluation.results import ReleasedFigures
from bustle.export.embedded_cases import EmbeddedCases
from bustle.export.half_weights import round_to_half
from bustle.export.model_card import model_card
from bustle.export.onnx_graph import write_onnx
from bustle.export.package_folder import new_package, refuse_existing
from bustle.export.parity import compare
from bustle.inference.decision import DecisionRule
from bustle.inference.package import (
    CARD,
    FORMAT_VERSION,
    MODEL,
    RECORD,
    WEIGHTS,
    Package,
    PackageRecord,
    TensorRecord,
    TrainingRecord,
    sealed,
)
from bustle.inference.package_backend import cpu_backends
from bustle.inference.torch_backend import TorchBackend, load_network
from bustle.models import zoo
from bustle.models.onnx_weights import read_onnx_weights, weights_named
from bustle.models.refinement import refined
from bustle.models.weight_file import write_weights

LARGEST_GRAPH = 2**31 - 2**24
"""Bytes of weights that a file of ONNX can hold (2 GiB), less room for the graph itself."""

NO_LICENCE = (
    "bustle grants no licence for these weights: whoever trained them decides, within the terms of the training data "
    "and of the weights that the training started from."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KnownOfRun:
    """What a package tells of the run that its weights are from; nothing is known by default.

    Each is as in `PackageRecord`; `embedded` are the training cases, and how an image is compared with them.
    """

    decision: DecisionRule | None = None
    training: TrainingRecord | None = None
    metrics: tuple[ReleasedFigures, ...] = ()
    subgroups: tuple[Subgroup, ...] = ()
    seen_cases: tuple[str, ...] = ()
    seen_images: tuple[ImageSketch, ...] = ()
    embedded: EmbeddedCases | None = None


def write_package(
    out: Path,
    *,
    recipe: Recipe,
    weights: Sequence[Path],
    known: KnownOfRun,
    untrained: Collection[Head] = (),
    half: bool = False,
    licence: str = NO_LICENCE,
) -> PackageRecord:
    """Write the networks of `weights` (`fold-K/*.safetensors`) as one package: a zip if `out` ends so, else a folder.

    With `half` the large weights are rounded to half precision; what `untrained` heads answer is left out. `licence`
    is that of the weights. Nothing is left behind where something fails. Raises `InputError` for a network that
    cannot be exported, an `out` that exists or that another command is writing, and a graph that differs from its
    networks.
    """
    resolved = zoo.resolve(recipe)
    meaning = None if "mask" in untrained else resolved.mask_meaning
    check_export(out, recipe=recipe, weights=weights)
    with claim_file(out), new_package(out) as folder:
        networks = [load_network(resolved, path) for path in weights]
        packed = _rounded(networks, weights=weights, folder=folder) if half else weights
        graph = write_onnx(
            folder / MODEL,
            [refined(network, resolved) for network in networks],
            views=recipe.views,
            meaning=meaning,
            classes=None if "class" in untrained else recipe.data.classes,
            channels=recipe.data.channels,
            size=recipe.data.size,
            half=half,
            projection=None if known.embedded is None else known.embedded.projection,
        )
        if not _can_be_read_back(folder / MODEL, networks):
            _write_weights(folder / WEIGHTS, networks, weights=packed)
        unchecked = _unchecked_record(
            recipe,
            known=known,
            weights=weights,
            meaning=meaning,
            graph=graph,
            half=half,
            licence=licence,
            folder=folder,
        )
        write_json(folder / RECORD, sealed(to_mapping(unchecked)))
        backend = TorchBackend(recipe, weights=packed, device="cpu", untrained=untrained)
        parity = compare(
            backend,
            cpu_backends(Package(folder)),
            section=recipe.data,
            embed=None if known.embedded is None else known.embedded.embedder(backend),
        )
        record = dataclasses.replace(unchecked, parity=parity)
        write_json(folder / RECORD, sealed(to_mapping(record)))
        write_text(folder / CARD, model_card(record, name=out.name))
    return record


def _unchecked_record(
    recipe: Recipe,
    *,
    known: KnownOfRun,
    weights: Sequence[Path],
    meaning: MaskMeaning | None,
    graph: tuple[TensorRecord, tuple[TensorRecord, ...]],
    half: bool,
    licence: str,
    folder: Path,
) -> PackageRecord:
    """The record of the files that stand in `folder`, whose `graph` has this input and these outputs.

    It says nothing of parity, which is measured on a package that can be read.
    """
    graph_input, outputs = graph
    return PackageRecord(
        format_version=FORMAT_VERSION,
        title=recipe.title,
        recipe=recipe.id,
        network=recipe.model.id,
        citation=recipe.citation,
        deviations=(*zoo.resolve(recipe).spec.deviations, *recipe.deviations),
        input=graph_input,
        outputs=outputs,
        preprocessing=recipe.data,
        views=recipe.views,
        mask_meaning=meaning,
        decision=known.decision,
        protocol=recipe.protocol,
        weights=tuple(NetworkWeights(fold=path.parent.name, sha256=sha256_of_file(path)) for path in weights),
        training=known.training,
        metrics=known.metrics,
        subgroups=known.subgroups,
        seen_cases=known.seen_cases,
        seen_images=known.seen_images,
        training_cases=None if known.embedded is None else known.embedded.cases,
        licence=licence,
        versions=versions(),
        half=half,
        files={name: sha256_of_file(folder / name) for name in (MODEL, WEIGHTS) if (folder / name).exists()},
        parity=None,
    )


def check_export(out: Path, *, recipe: Recipe, weights: Sequence[Path]) -> None:
    """Raises `InputError` for a network that cannot be exported, and an `out` that exists."""
    spec = zoo.resolve(recipe).spec
    if not spec.exports:
        reason = next(text for text in spec.deviations if "export" in text)
        raise InputError(f"{spec.title}: {reason.rstrip('.')}", remedy="use the run folder itself")
    refuse_existing(out)
    if sum(path.stat().st_size for path in weights) > LARGEST_GRAPH:
        raise InputError(
            f"{len(weights)} networks of this size do not fit in one ONNX file (2 GiB)",
            remedy=f"export one fold, such as {weights[0].parent}",
        )


def _rounded(networks: Sequence[nn.Module], *, weights: Sequence[Path], folder: Path) -> list[Path]:
    """Round the networks to half precision; where their weights then stand, beside the package's folder."""
    packed = []
    for network, path in zip(networks, weights, strict=True):
        round_to_half(network)
        packed.append(folder.parent / path.parent.name / path.name)
        write_weights(packed[-1], network.state_dict())
    return packed


def _can_be_read_back(graph: Path, networks: Sequence[nn.Module]) -> bool:
    """Whether the graph holds the very weights of the network, by name; several networks' would be mixed up."""
    if len(networks) != 1:
        return False
    own = networks[0].state_dict()
    stored = weights_named(own, read_onnx_weights(graph))
    return stored is not None and all(torch.equal(tensor, own[name]) for name, tensor in stored.items())


def _write_weights(path: Path, networks: Sequence[nn.Module], *, weights: Sequence[Path]) -> None:
    """The file of a single network as it is; of several, all tensors with their fold's name before their own."""
    if len(weights) == 1:
        shutil.copyfile(weights[0], path)
        return
    tensors = {
        f"{file.parent.name}.{name}": tensor
        for file, network in zip(weights, networks, strict=True)
        for name, tensor in network.state_dict().items()
    }
    write_weights(path, tensors)
