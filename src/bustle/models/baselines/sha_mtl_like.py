"""SHA-MTL: gated skip connections for the mask (soft attention), the mask for the classes (hard attention).

An approximation, from secondary sources, of Zhang, Zhao, Hong, Qiu, Zhang, Wei, "SHA-MTL: soft and hard attention
multi-task learning for automated breast cancer ultrasound image segmentation and classification", International
Journal of Computer Assisted Radiology and Surgery 2021; its numbers are not the method's.

Own choices: DenseNet-121 as the encoder; a U-Net decoder of transposed convolutions; the class head sees the mean
of the deepest features beside their mean over the predicted lesion, so that an image without one is not all zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.attention_gate import AttentionGate
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledSequence
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm. `decoder_channels`: one width
    per decoder block but the last, coarse to fine. `gate_width`: channels inside a gate. `dropout` stands before
    the class layer.
    """

    backbone: str = "densenet121"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    decoder_channels: tuple[int, ...] = (512, 256, 128, 64)
    gate_width: int = 64
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.decoder_channels) or self.gate_width < 1:
            raise ValueError("decoder_channels and gate_width must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class ShaMtlLike(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        channels = self.encoder.channels
        self.decoder = Decoder(channels, self.encoder.reductions, channels=config.decoder_channels)
        leading = dict(zip(self.decoder.strides, (channels[-1], *config.decoder_channels), strict=True))
        self.gates = nn.ModuleDict(
            {
                str(stride): AttentionGate(channels[index], leading[stride], inner_channels=config.gate_width)
                for stride, index in self.decoder.skip_index.items()
                if stride in leading
            }
        )
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        self.class_head = MeanPooledSequence(nn.Dropout(config.dropout), nn.Linear(2 * channels[-1], class_count))

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self._decoded(features)), image.shape[-2:])
        deepest = features[-1]
        lesion = (mask_logits > 0).to(deepest.dtype)
        attended = deepest * F.interpolate(lesion, size=deepest.shape[-2:], mode="area")
        class_logits = self.class_head(torch.cat([deepest, attended], dim=1))
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)

    def _decoded(self, features: Sequence[Tensor]) -> Tensor:
        """The decoder's map; each skip connection passes a gate that the coarser map leads."""
        decoded = features[-1]
        for stride, block in zip(self.decoder.strides, self.decoder.blocks, strict=True):
            index = self.decoder.skip_index.get(stride)
            decoded = block(decoded, None if index is None else self.gates[str(stride)](features[index], decoded))
        return decoded


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> ShaMtlLike:
    return ShaMtlLike(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="sha_mtl_like",
    title="SHA-MTL (approximation)",
    citation="Zhang, Zhao, Hong, Qiu, Zhang, Wei: SHA-MTL: Soft and Hard Attention Multi-Task Learning for Automated "
    "Breast Cancer Ultrasound Image Segmentation and Classification. IJCARS 2021",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", decoder_channels=(32, 24, 16, 8), gate_width=8),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=(
        "An approximation from secondary sources, the paper being closed; its numbers are not the method's.",
        "The encoder is DenseNet-121, the decoder a U-Net's of transposed convolutions with additive gates.",
        "Hard attention multiplies the deepest features with the area that the binary mask covers; the class head "
        "sees them beside the features themselves.",
    ),
)
