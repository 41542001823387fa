"""A timm network as the body of ours: created by name, with ImageNet's weights or those of a local file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from bustle.core.errors import InputError, unknown_name
from bustle.core.paths import given_path
from bustle.models.weights import load_encoder_weights


def timm_name(backbone: str, *, deep_stem: bool = False) -> str:
    """Timm's name of a backbone; with `deep_stem` its `s` variant of a ResNet, whose stem is three 3x3 convolutions.

    Raises `InputError` for a backbone that timm does not know, or that has no deep stem.
    """
    name = f"{backbone}s" if deep_stem else backbone
    if timm.is_model(name):
        return name
    if deep_stem and timm.is_model(backbone):
        known = ", ".join(n.removesuffix("s") for n in timm.list_models("resnet*s"))
        raise InputError(f"backbone '{backbone}' has no deep stem", remedy=f"set stem=standard, or one of: {known}")
    raise unknown_name("timm backbone", backbone, timm.list_models())


def create_body(name: str, settings: Mapping[str, Any], *, role: str) -> nn.Module:
    """`timm.create_model` whose refusals are `InputError`s; `role` says what the network was to become."""
    try:
        return timm.create_model(name, **settings)
    except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        own = {
            key: value for key, value in settings.items() if key not in ("features_only", "in_chans", "num_classes")
        }
        raise InputError(
            f"backbone '{name}' with options {own} cannot be {role} ({error})",
            remedy="change model.config.backbone or model.config.backbone_options",
        ) from None


def load_body_weights(body: nn.Module, weights: str | None, *, name: str, settings: Mapping[str, Any]) -> None:
    """Start `body` from None (leave it random), "imagenet" (fetched by timm) or a safetensors file, timm's names."""
    if weights == "imagenet":
        body.load_state_dict(_fetched(name, settings).state_dict())
    elif weights is not None:
        load_encoder_weights(body, given_path(weights))


def _fetched(name: str, settings: Mapping[str, Any]) -> nn.Module:
    """The body with timm's pretrained weights; whatever goes wrong on the way, the weights are not to be had."""
    remedy = "give a local file with --init FILE.safetensors, or set model.encoder_weights=null"
    source = timm.get_pretrained_cfg(name)
    if source is None or not source.has_weights:
        raise InputError(f"timm has no pretrained weights for '{name}'", remedy=remedy)
    try:
        return timm.create_model(name, pretrained=True, **settings)
    except Exception as error:  # each transport has errors of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the ImageNet weights of '{name}' cannot be fetched ({reason})", remedy=remedy) from error
