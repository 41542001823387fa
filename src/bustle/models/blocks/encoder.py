"""A timm feature pyramid as the encoder of a segmentation network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import timm
from torch import Tensor, nn

from bustle.core.errors import InputError, unknown_name
from bustle.models.weights import load_encoder_weights


class Encoder(nn.Module):
    """Maps `B C H W` to feature maps from fine to coarse, all `B C H W`.

    `channels` and `reductions` describe the maps; each reduction (the map's stride) doubles the one before.
    """

    def __init__(self, body: nn.Module, *, name: str):
        super().__init__()
        self.body = body
        info: Any = body.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.reductions: tuple[int, ...] = tuple(info.reduction())
        self.channels_are_last = str(getattr(body, "output_fmt", "NCHW")).endswith("NHWC")
        if any(coarse != 2 * fine for fine, coarse in zip(self.reductions, self.reductions[1:], strict=False)):
            raise InputError(
                f"backbone '{name}' gives maps of strides {self.reductions}, which is no pyramid",
                remedy="choose one whose strides double, such as a ResNet, MobileNet, EfficientNet or ConvNeXt",
            )

    def forward(self, image: Tensor) -> list[Tensor]:
        features = self.body(image)
        return [f.permute(0, 3, 1, 2).contiguous() for f in features] if self.channels_are_last else features


def build_encoder(
    backbone: str,
    *,
    in_channels: int,
    weights: str | None = None,
    stem: Literal["standard", "deep"] = "standard",
    options: Mapping[str, Any] | None = None,
) -> Encoder:
    """Build any timm `features_only` encoder.

    `weights`: None (random), "imagenet" (fetched by timm) or the path of a local safetensors file with timm's
    names. `stem` "deep" takes timm's `s` variant of a ResNet, whose stem is three 3x3 convolutions of 64, 64 and
    128 channels. `options` go to timm's `create_model`. Raises `InputError` for an unknown backbone or option and
    for weights that cannot be had or do not fit.
    """
    name = _with_deep_stem(backbone) if stem == "deep" else backbone
    if not timm.is_model(name):
        raise unknown_name("timm backbone", name, timm.list_models())
    settings = {**(options or {}), "features_only": True, "in_chans": in_channels}
    try:
        body = timm.create_model(name, **settings)
    except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        raise InputError(
            f"backbone '{name}' with options {dict(options or {})} cannot be an encoder ({error})",
            remedy="change model.config.backbone or model.config.backbone_options",
        ) from None
    encoder = Encoder(body, name=name)
    if weights == "imagenet":
        encoder.body.load_state_dict(_fetched(name, settings).state_dict())
    elif weights is not None:
        load_encoder_weights(encoder.body, Path(weights))
    return encoder


def _with_deep_stem(backbone: str) -> str:
    name = f"{backbone}s"
    if not timm.is_model(name):
        known = ", ".join(n.removesuffix("s") for n in timm.list_models("resnet*s"))
        raise InputError(f"backbone '{backbone}' has no deep stem", remedy=f"set stem=standard, or one of: {known}")
    return name


def _fetched(name: str, settings: Mapping[str, Any]) -> nn.Module:
    """The encoder with timm's pretrained weights; whatever goes wrong on the way, the weights are not to be had."""
    remedy = "give a local file with --init FILE.safetensors, or set model.encoder_weights=null"
    source = timm.get_pretrained_cfg(name)
    if source is None or not source.has_weights:
        raise InputError(f"timm has no pretrained weights for '{name}'", remedy=remedy)
    try:
        return timm.create_model(name, pretrained=True, **settings)
    except Exception as error:  # each transport has errors of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the ImageNet weights of '{name}' cannot be fetched ({reason})", remedy=remedy) from error
