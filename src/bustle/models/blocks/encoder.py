"""A timm feature pyramid as the encoder of a segmentation network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.models.blocks.timm_body import create_body, load_body_weights, timm_name


class Encoder(nn.Module):
    """Maps `B C H W` to feature maps from fine to coarse, all `B C H W`.

    `channels` and `reductions` describe the maps; each reduction (the map's stride) doubles the one before, or
    repeats it where the backbone dilates instead (timm's `output_stride`).
    """

    def __init__(self, body: nn.Module, *, name: str):
        super().__init__()
        self.body = body
        info: Any = body.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.reductions: tuple[int, ...] = tuple(info.reduction())
        self.channels_are_last = str(getattr(body, "output_fmt", "NCHW")).endswith("NHWC")
        steps = [coarse / fine for fine, coarse in zip(self.reductions, self.reductions[1:], strict=False)]
        if not set(steps) <= {1, 2} or set(steps) == {1}:
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
    name = timm_name(backbone, deep_stem=stem == "deep")
    settings = {**(options or {}), "features_only": True, "in_chans": in_channels}
    encoder = Encoder(create_body(name, settings, role="an encoder"), name=name)
    load_body_weights(encoder.body, weights, name=name, settings=settings)
    return encoder
