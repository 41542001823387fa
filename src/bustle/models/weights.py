"""Starting weights from local files, checked strictly against the network that takes them.

Three kinds of file are understood: the weights of a whole bustle model (`best.safetensors` of a run), the graph of a
model package that holds them, and the weights of an encoder under timm's names (as timm and torchvision publish them,
classifier included or not).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.models.onnx_weights import read_onnx_weights, weights_named
from bustle.models.weight_file import read_weights

ONNX = ".onnx"
"""The ending of a package's graph, which always holds a whole model."""

SAME_NETWORK = "take weights made for model.config, or change model.config.backbone"


def load_model_weights(model: nn.Module, path: Path | str, *, parts: Sequence[str] | None = None) -> None:
    """Start `model` from a whole model's weights, those in a package's ONNX file too, or from an encoder's.

    Of safetensors the file's keys decide which. With `parts`, names of modules, only their weights are copied of a
    whole model. Raises `InputError` unless a whole model's file fits key by key, or
    an encoder's file holds every tensor of `model.encoder`.
    """
    own = model.state_dict()
    if Path(path).suffix == ONNX:
        weights = weights_named(own, read_onnx_weights(Path(path)))
        if weights is None:
            raise InputError("holds the weights of another network", remedy=SAME_NETWORK, path=path)
        _copy(own, weights, path)
        return
    weights = read_weights(path)
    if holds_whole_model(model, path, weights=weights):
        missing, unexpected = own.keys() - weights.keys(), weights.keys() - own.keys()
        if missing or unexpected:
            raise _other_network(path, missing, unexpected)
        _copy(own, weights if parts is None else _of_parts(weights, parts), path)
        return
    encoder = getattr(model, "encoder", None)
    if encoder is None:
        raise _other_network(path, own.keys(), weights.keys())
    load_encoder_weights(encoder.body, path, weights=weights)


def holds_whole_model(model: nn.Module, path: Path | str, *, weights: Mapping[str, Tensor] | None = None) -> bool:
    """Whether the file has weights under the names of `model` itself, and not of an encoder alone."""
    if Path(path).suffix == ONNX:
        return True
    return bool(model.state_dict().keys() & (read_weights(path) if weights is None else weights).keys())


def load_encoder_weights(body: nn.Module, path: Path | str, *, weights: Mapping[str, Tensor] | None = None) -> None:
    """Copy an encoder file under timm's names into `body`, a timm feature extractor.

    Every tensor of `body` must be in the file (batch counters excepted); what else the file holds, such as a
    classifier, is ignored. Filters of the first convolution are adapted to another number of input channels as
    timm does. Raises `InputError` for missing tensors or other shapes.
    """
    weights = read_weights(path) if weights is None else weights
    # A feature extractor joins the levels of a name with "_" where the whole network has "." (stages.0, stages_0).
    by_flat_name = {_flat(key): key for key in weights}
    own = body.state_dict()
    chosen: dict[str, Tensor] = {}
    missing: list[str] = []
    for key, tensor in own.items():
        source = by_flat_name.get(_flat(key))
        if source is None:
            missing += [] if key.endswith("num_batches_tracked") else [key]
            continue
        chosen[key] = weights[source]
        if key in _first_filters(body) and chosen[key].shape[1] != tensor.shape[1]:
            chosen[key] = timm.models.adapt_input_conv(tensor.shape[1], chosen[key])  # type: ignore[attr-defined]
    if missing:
        raise _other_network(path, missing, ())
    _copy(own, chosen, path)


def _of_parts(weights: Mapping[str, Tensor], parts: Sequence[str]) -> dict[str, Tensor]:
    prefixes = tuple(f"{part}." for part in parts)
    return {key: tensor for key, tensor in weights.items() if key.startswith(prefixes)}


def _copy(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: Path | str) -> None:
    for key, tensor in sorted(weights.items()):
        if tensor.shape != own[key].shape:
            problem = f"{key} has shape {_shape(tensor)}, the network's has {_shape(own[key])}"
            raise InputError(problem, remedy="take the weights of the same network and settings", path=path)
    with torch.no_grad():
        for key, tensor in weights.items():
            own[key].copy_(tensor)


def _first_filters(body: nn.Module) -> tuple[str, ...]:
    first = getattr(body, "pretrained_cfg", {}).get("first_conv") or ()
    names = {_flat(f"{name}.weight") for name in ([first] if isinstance(first, str) else first)}
    return tuple(key for key in body.state_dict() if _flat(key) in names)


def _other_network(path: Path | str, missing: Iterable[str], unexpected: Iterable[str]) -> InputError:
    problem = "these are the weights of another network: "
    parts = [
        f"{kind} {len(keys)} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for kind, keys in (("missing", sorted(missing)), ("unexpected", sorted(unexpected)))
        if keys
    ]
    return InputError(problem + "; ".join(parts), remedy=SAME_NETWORK, path=path)


def _flat(key: str) -> str:
    return key.replace(".", "_")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
