"""Any architecture of segmentation-models-pytorch over any of its encoders, with an optional class head.

U-Net, UNet++, MAnet, Linknet, FPN, PSPNet, DeepLabV3(+), UPerNet, Segformer and others, over its own encoders
(`resnet18`, `mit_b2`) or timm's (`tu-` and timm's name). Images are padded with zeros to the encoder's stride and
maps cropped back; Swin encoders are told not to insist on the size that they were trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bustle.core.errors import InputError, unknown_name
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.core.paths import given_path
from bustle.models.blocks.padding import crop_to, pad_to_multiple
from bustle.models.mask_meanings import one_lesion_channel
from bustle.models.weights import load_encoder_weights

TIMM = "tu-"
"""The prefix under which segmentation-models-pytorch offers timm's encoders."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`architecture` is a name such as `unet`, `unetplusplus`, `fpn`, `deeplabv3plus`, `segformer` or `upernet`.

    `backbone` is an encoder of segmentation-models-pytorch, or `tu-` and any timm encoder. `options` go to the
    architecture (`decoder_channels`, `encoder_depth`), `backbone_options` to timm's `create_model`.
    `classification` adds a head on the mean of the encoder's last map, after `dropout`.
    """

    architecture: str = "unet"
    backbone: str = "tu-resnet18"
    options: Mapping[str, Any] = field(default_factory=dict)
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    classification: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if self.backbone_options and not self.backbone.startswith(TIMM):
            raise ValueError("backbone_options are for timm's encoders, whose names start with tu-")


class TimmEncoder(NamedTuple):
    """Where the timm network of an encoder lies, for weights with timm's names."""

    body: nn.Module


class SmpSegmenter(nn.Module):
    """Maps images `B C H W` to mask logits `B 1 H W` and, with a class head, class logits `B N`."""

    network: Any  # the library's networks have no common type with an encoder

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    @property
    def encoder(self) -> TimmEncoder | None:
        """None for an encoder of segmentation-models-pytorch's own, whose weights have other names."""
        body = getattr(self.network.encoder, "model", None)
        return TimmEncoder(body) if isinstance(body, nn.Module) else None

    @property
    def class_head(self) -> nn.Module | None:
        return self.network.classification_head

    def forward(self, image: Tensor) -> MultiTaskOutput:
        maps = self.network(pad_to_multiple(image, self.network.encoder.output_stride))
        mask_logits, class_logits = maps if isinstance(maps, tuple) else (maps, None)
        return MultiTaskOutput(mask_logits=crop_to(mask_logits, image.shape[-2:]), class_logits=class_logits)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> SmpSegmenter:
    """Raises `InputError` for an unknown architecture, encoder or option, and for weights that cannot be had."""
    settings = _settings(config, in_channels=in_channels, class_count=class_count)
    network = SmpSegmenter(_create(config, settings))
    if encoder_weights == "imagenet":
        network.network.encoder.load_state_dict(_fetched(config, settings).encoder.state_dict())
    elif encoder_weights is not None:
        if network.encoder is None:
            raise InputError(
                f"the encoder '{config.backbone}' takes no local weights",
                remedy="choose one of timm's (tu-…), or set model.encoder_weights to imagenet or null",
                path=encoder_weights,
            )
        load_encoder_weights(network.encoder.body, given_path(encoder_weights))
    return network


def _settings(config: Config, *, in_channels: int, class_count: int) -> dict[str, Any]:
    # Imported in functions because it takes seconds.
    from segmentation_models_pytorch import MODEL_ARCHITECTURES_MAPPING

    if config.architecture not in MODEL_ARCHITECTURES_MAPPING:
        raise unknown_name("architecture", config.architecture, MODEL_ARCHITECTURES_MAPPING)
    any_size = {"strict_img_size": False} if config.backbone.startswith(f"{TIMM}swin") else {}
    settings = {**config.options, **any_size, **config.backbone_options, "in_channels": in_channels, "classes": 1}
    if config.classification:
        settings["aux_params"] = {"classes": class_count, "pooling": "avg", "dropout": config.dropout or None}
    return settings


def _create(config: Config, settings: Mapping[str, Any], *, weights: Any = None) -> Any:
    from segmentation_models_pytorch import create_model

    # Some encoders read numbers back while they are built, which tensors without memory do not have.
    device = torch.get_default_device()
    try:
        with torch.device("cpu"):
            network = create_model(config.architecture, config.backbone, weights, **settings)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"'{config.architecture}' cannot be built over '{config.backbone}' ({error})",
            remedy="change model.config",
        ) from None
    return network.to(device)


def _fetched(config: Config, settings: Mapping[str, Any]) -> Any:
    """The network with ImageNet's weights in its encoder, for whatever reason they may not be had."""
    weights = True if config.backbone.startswith(TIMM) else "imagenet"
    try:
        return _create(config, settings, weights=weights)
    except Exception as error:  # each transport has errors of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = "give a local file of one of timm's encoders with --init, or set model.encoder_weights=null"
        raise InputError(
            f"the ImageNet weights of '{config.backbone}' cannot be fetched ({reason})", remedy=remedy
        ) from error


SPEC = ModelSpec(
    id="smp_segmenter",
    title="Network of segmentation-models-pytorch",
    citation="Iakubovskii: Segmentation Models PyTorch. 2019",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(
        backbone="tu-test_resnet",
        options={"encoder_depth": 4, "decoder_channels": [16, 16, 8, 8]},
        classification=True,
    ),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=("Sizes that the encoder's stride does not divide are padded with zeros, which the class head sees.",),
)
