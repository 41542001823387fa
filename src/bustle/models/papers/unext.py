"""UNeXt: a small U-Net whose deep stages are shifted multilayer perceptrons over tokens.

Valanarasu, Patel, "UNeXt: MLP-based Rapid Medical Image Segmentation Network", MICCAI 2022. Three convolution stages
and two of tokenised MLP blocks, mirrored in the decoder; skip connections are added, not concatenated.

Own choices where the paper is silent: a hidden layer is as wide as its tokens, and each half of a block shifts five
groups of channels by -2 to 2 tokens along one axis; with both, the count is the published 1.47 million parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.mask_meanings import one_lesion_channel

SHIFTS = (-2, -1, 0, 1, 2)
"""Tokens that each fifth of the channels moves by (shift size 5)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`widths`: of the three convolution stages and the two tokenised ones, fine to coarse."""

    widths: tuple[int, int, int, int, int] = (16, 32, 128, 160, 256)

    def __post_init__(self) -> None:
        if min(self.widths) < len(SHIFTS):
            raise ValueError(f"widths must be at least {len(SHIFTS)}")


def shifted(tokens: Tensor, *, axis: int) -> Tensor:
    """Move each fifth of the channels of `B C h w` along `axis` (2 or 3) by its shift; zeros move in (eq. 1, 3)."""
    reach = max(SHIFTS)
    before_and_after = (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach)
    padded = F.pad(tokens, before_and_after)
    groups = padded.chunk(len(SHIFTS), dim=1)
    size = tokens.shape[axis]
    moved = [group.narrow(axis, reach - shift, size) for group, shift in zip(groups, SHIFTS, strict=False)]
    return torch.cat(moved, dim=1)


class TokenisedMlp(nn.Module):
    """Norm, MLP over tokens shifted along the width, depth-wise convolution, GELU, MLP shifted along the height.

    Maps `B C h w` to the same shape; the input is added at the end (eq. 1 to 6).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.across = nn.Conv2d(channels, channels, 1)  # a linear layer over every token
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.down = nn.Conv2d(channels, channels, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.across(shifted(channel_norm(self.norm, tokens), axis=3))
        hidden = F.gelu(self.position(hidden))
        return tokens + self.down(shifted(hidden, axis=2))


def channel_norm(norm: nn.LayerNorm, maps: Tensor) -> Tensor:
    """Layer norm over the channels of `B C h w`."""
    return norm(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class TokenisedStage(nn.Module):
    """One tokenised MLP block and a layer norm."""

    def __init__(self, channels: int):
        super().__init__()
        self.block = TokenisedMlp(channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, tokens: Tensor) -> Tensor:
        return channel_norm(self.norm, self.block(tokens))


class TokenEmbedding(nn.Module):
    """A 3x3 convolution of stride 2 and a layer norm: maps become tokens of half their size."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.projection = nn.Conv2d(in_channels, channels, 3, stride=2, padding=1)
        self.norm = nn.LayerNorm(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return channel_norm(self.norm, self.projection(maps))


class UNeXt(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W`."""

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        first, second, third, fourth, fifth = config.widths
        self.encoder = nn.ModuleList(
            _conv_norm(i, o) for i, o in ((in_channels, first), (first, second), (second, third))
        )
        self.embeddings = nn.ModuleList([TokenEmbedding(third, fourth), TokenEmbedding(fourth, fifth)])
        self.tokenised = nn.ModuleList([TokenisedStage(fourth), TokenisedStage(fifth)])
        self.decoder = nn.ModuleList(
            _conv_norm(i, o) for i, o in ((fifth, fourth), (fourth, third), (third, second), (second, first))
        )
        self.decoder_tokenised = nn.ModuleList([TokenisedStage(fourth), TokenisedStage(third)])
        self.last = nn.Conv2d(first, first, 3, padding=1)
        self.mask_head = nn.Conv2d(first, 1, 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        maps, skips = image, []
        for conv in self.encoder:
            maps = F.relu(F.max_pool2d(conv(maps), 2))
            skips.append(maps)
        for embedding, stage in zip(self.embeddings, self.tokenised, strict=True):
            maps = stage(embedding(maps))
            skips.append(maps)
        decoded = skips.pop()
        for place, conv in enumerate(self.decoder):
            skip = skips.pop()
            decoded = F.relu(resize_to(conv(decoded), skip.shape[-2:])) + skip
            if place < len(self.decoder_tokenised):
                decoded = self.decoder_tokenised[place](decoded)
        mask_logits = self.mask_head(resize_to(F.relu(self.last(decoded)), image.shape[-2:]))
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=None)


def _conv_norm(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels))


def build(config: Config, *, in_channels: int, class_count: int) -> UNeXt:
    """`class_count` is of no use here: it has no classes."""
    return UNeXt(config, in_channels=in_channels)


SPEC = ModelSpec(
    id="unext",
    title="UNeXt",
    citation="Valanarasu, Patel: UNeXt: MLP-based Rapid Medical Image Segmentation Network. MICCAI 2022",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(widths=(5, 6, 8, 10, 12)),
    build=build,
    mask_meaning=one_lesion_channel,
    deviations=(
        "The hidden width of the MLPs and the shifts (five groups of channels, by -2 to 2 tokens) are read from the "
        "published parameter count, 1.47 million, which they match.",
        "Maps of sizes that the strides do not divide are resized bilinearly; the paper uses 256 and 512 pixels.",
    ),
)
