"""Attention U-Net: gates on the skip connections, driven by the coarser map. MONAI's network for any size.

Oktay et al., "Attention U-Net: Learning Where to Look for the Pancreas", 2018; compared in CTG-Net.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.padding import crop_to, pad_to_multiple
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """`widths` per level, fine to coarse; `dropout` after each activation."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 2:
            raise ValueError("widths must be 2 to 5 numbers of at least 2")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class AttentionUNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W`; odd sizes are padded and cropped."""

    def __init__(self, config: Config, *, in_channels: int):
        # Imported here because it takes seconds.
        from monai.networks.nets.attentionunet import AttentionUnet

        super().__init__()
        self.stride = 2 ** (len(config.widths) - 1)
        self.network = AttentionUnet(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=1,
            channels=config.widths,
            strides=[2] * (len(config.widths) - 1),
            dropout=config.dropout,
        )

    def forward(self, image: Tensor) -> MultiTaskOutput:
        mask_logits = self.network(pad_to_multiple(image, self.stride))
        return MultiTaskOutput(mask_logits=crop_to(mask_logits, image.shape[-2:]), class_logits=None)


def build(config: Config, *, in_channels: int, class_count: int) -> AttentionUNet:
    """Without classes, `class_count` makes no difference."""
    return AttentionUNet(config, in_channels=in_channels)


SPEC = ModelSpec(
    id="attention_unet",
    title="Attention U-Net",
    citation="Oktay et al.: Attention U-Net: Learning Where to Look for the Pancreas. 2018",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(widths=(8, 16, 24)),
    build=build,
    mask_meaning=one_lesion_channel,
    deviations=(
        "MONAI's layout: strided convolutions instead of max pooling, the gate's signal at the skip's size.",
        "Without the paper's deep supervision.",
        "Sizes that the coarsest stride does not divide are padded with zeros.",
    ),
)
