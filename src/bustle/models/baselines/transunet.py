"""TransUNet: a ResNet whose coarsest map a vision transformer encodes, and a decoder with the ResNet's skips.

Chen et al., "TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation", 2021; compared in ACSNet.
The encoder is timm's hybrid R50+ViT-B/16 (`vit_base_r50_s16_224`), built here so that its parts can be reached and
made smaller; its weights have timm's names.

Own choices: the class token stays among the tokens, because the published weights have it, and is left out of the
decoder; sizes that 16 does not divide are padded with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.layers import HybridEmbed, StdConv2dSame
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.padding import crop_to, pad_to_multiple
from bustle.models.blocks.timm_body import load_body_weights
from bustle.models.mask_meanings import one_lesion_channel

STRIDE = 16
PRETRAINED = "vit_base_r50_s16_224"
TRAINED_SIZE = 224
GROUPS = 32


@dataclass(frozen=True, kw_only=True)
class Config:
    """The defaults are R50+ViT-B/16.

    `layers`, `channels` of the ResNet's three stages (strides 4, 8 and 16), `stem_channels` at stride 2; `embed_dim`,
    `depth` and `heads` of the transformer; `decoder_channels` at strides 8, 4, 2 and 1, and `decoder_input` of the
    3x3 convolution before them.
    """

    layers: tuple[int, int, int] = (3, 4, 9)
    channels: tuple[int, int, int] = (256, 512, 1024)
    stem_channels: int = 64
    embed_dim: int = 768
    depth: int = 12
    heads: int = 12
    decoder_input: int = 512
    decoder_channels: tuple[int, int, int, int] = (256, 128, 64, 16)

    def __post_init__(self) -> None:
        if self.embed_dim % self.heads:
            raise ValueError("heads must divide embed_dim")
        if self.stem_channels % GROUPS or any(width % (4 * GROUPS) for width in self.channels):
            raise ValueError(
                "stem_channels must be multiples of 32 and channels of 128, as group norms have 32 groups"
            )
        if min(*self.layers, self.depth, self.decoder_input, *self.decoder_channels) < 1:
            raise ValueError("layers, depth, decoder_input and decoder_channels must be at least 1")


class HybridEncoder(nn.Module):
    """Maps `B C H W` (multiples of 16) to maps of stride 2, 4, 8 and 16, the last encoded by the transformer.

    The position embedding, learned on a square grid, is resized to the grid of the image.
    """

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        backbone = ResNetV2(
            layers=list(config.layers),
            channels=config.channels,  # type: ignore[arg-type]  (three stages, as in timm's hybrids)
            num_classes=0,
            global_pool="",
            in_chans=in_channels,
            stem_chs=config.stem_channels,
            preact=False,
            stem_type="same",
            conv_layer=partial(StdConv2dSame, eps=1e-8),  # type: ignore[arg-type]
        )
        self.body: Any = VisionTransformer(
            img_size=TRAINED_SIZE,
            patch_size=1,
            in_chans=in_channels,
            num_classes=0,
            embed_dim=config.embed_dim,
            depth=config.depth,
            num_heads=config.heads,
            embed_layer=partial(HybridEmbed, backbone=backbone),
        )
        self.body.pretrained_cfg = {"first_conv": "patch_embed.backbone.stem.conv"}
        self.skip_channels = (config.stem_channels, *config.channels[:2])

    def forward(self, image: Tensor) -> list[Tensor]:
        backbone = self.body.patch_embed.backbone
        half = backbone.stem.norm(backbone.stem.conv(image))
        quarter = backbone.stages[0](backbone.stem.pool(half))
        eighth = backbone.stages[1](quarter)
        patches = self.body.patch_embed.proj(backbone.stages[2](eighth))
        tokens = patches.flatten(2).transpose(1, 2)
        class_token = (self.body.cls_token + self.body.pos_embed[:, :1]).expand(tokens.shape[0], -1, -1)
        tokens = torch.cat([class_token, tokens + self._positions(patches.shape[-2:])], dim=1)
        encoded = self.body.norm(self.body.blocks(tokens))[:, 1:]
        return [half, quarter, eighth, encoded.transpose(1, 2).reshape(patches.shape)]

    def _positions(self, grid: torch.Size) -> Tensor:
        """The position embedding of the patches, `1 T E`, for a grid of any size."""
        side = TRAINED_SIZE // STRIDE
        learned = self.body.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        if tuple(grid) != (side, side):
            learned = F.interpolate(learned, size=tuple(grid), mode="bilinear", align_corners=False)
        return learned.flatten(2).transpose(1, 2)


class TransUNet(nn.Module):
    """Maps images `B C H W` to mask logits `B 1 H W`."""

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        self.encoder = HybridEncoder(config, in_channels=in_channels)
        self.enter = nn.Sequential(*_conv_norm_relu(config.embed_dim, config.decoder_input))
        skips = (*reversed(self.encoder.skip_channels), 0)
        widths = (config.decoder_input, *config.decoder_channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(*_conv_norm_relu(coarse + skip, fine), *_conv_norm_relu(fine, fine))
            for coarse, fine, skip in zip(widths, config.decoder_channels, skips, strict=False)
        )
        self.mask_head = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        padded = pad_to_multiple(image, STRIDE)
        *skips, encoded = self.encoder(padded)
        decoded = self.enter(encoded)
        for block, skip in zip(self.blocks, reversed(skips), strict=False):
            decoded = block(torch.cat([resize_to(decoded, skip.shape[-2:]), skip], dim=1))
        decoded = self.blocks[-1](resize_to(decoded, padded.shape[-2:]))
        return MultiTaskOutput(mask_logits=crop_to(self.mask_head(decoded), image.shape[-2:]), class_logits=None)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> TransUNet:
    """Raises `InputError` for weights that cannot be had or do not fit."""
    if encoder_weights == "imagenet" and _encoder_sizes(config) != _encoder_sizes(Config()):
        raise InputError(
            "ImageNet's weights exist only for R50+ViT-B/16",
            remedy="take the default model.config, or set model.encoder_weights=null",
        )
    network = TransUNet(config, in_channels=in_channels)
    settings = {"in_chans": in_channels, "num_classes": 0}
    load_body_weights(network.encoder.body, encoder_weights, name=PRETRAINED, settings=settings)
    return network


def _encoder_sizes(config: Config) -> tuple[object, ...]:
    return (config.layers, config.channels, config.stem_channels, config.embed_dim, config.depth, config.heads)


def _conv_norm_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU()]


SPEC = ModelSpec(
    id="transunet",
    title="TransUNet",
    citation="Chen et al.: TransUNet: Transformers Make Strong Encoders for Medical Image Segmentation. 2021",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(
        layers=(1, 1, 1),
        channels=(128, 128, 128),
        stem_channels=32,
        embed_dim=32,
        depth=2,
        heads=2,
        decoder_input=32,
        decoder_channels=(16, 16, 8, 8),
    ),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "The class token of the published weights stays among the tokens; the original has none.",
        "Up-sampling is bilinear with half-pixel centres; the original aligns corners.",
        "Sizes that 16 does not divide are padded with zeros.",
    ),
)
