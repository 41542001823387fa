"""MA U-Net: a first U-Net outlines the mammary gland, whose probability is the attention of a second for the tumour.

Yang, Suzuki, Ye, Nosato, Izumori, Sakanashi, "Tumor detection from breast ultrasound images using mammary gland
attentive U-Net", IFMIA 2021; compared in CTG-Net, which is the source of this description. The gland map needs a
loss of its own (`gland_dice`) and gland masks; without them the attention is free and the network not the paper's.

Own choices: both networks are U-Nets of the same widths, trained together; the second is an Attention U-Net with
additive gates, whose skip connections are also multiplied with the gland's probability; its coarsest map is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.attention_gate import AttentionGate
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.unet import UNetDecoder, UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """`widths` of both U-Nets per level, fine to coarse."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 2:
            raise ValueError("widths must be 2 to 5 numbers of at least 2")


def map_meanings(config: Config) -> Mapping[str, MaskMeaning]:
    """The gland map has no lesion channel."""
    return {"gland": MaskMeaning(channels=("gland",), activation="sigmoid", lesion_channels=())}


class GlandAttentiveDecoder(nn.Module):
    """A U-Net decoder whose skips pass an additive gate and are multiplied with the gland's probability."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.decoder = UNetDecoder(widths)
        self.gates = nn.ModuleList(
            AttentionGate(fine, coarse, inner_channels=fine // 2) for fine, coarse in reversed(list(pairwise(widths)))
        )

    def forward(self, features: list[Tensor], gland: Tensor) -> Tensor:
        decoded = features[-1]
        stages = zip(self.decoder.ups, self.decoder.merges, self.gates, features[-2::-1], strict=True)
        for up, merge, gate, skip in stages:
            size = skip.shape[-2:]
            attended = gate(skip, decoded) * resize_to(gland, size)
            decoded = merge(torch.cat([resize_to(up(decoded), size), attended], dim=1))
        return decoded


class MaUNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and gland logits of the same size."""

    def __init__(self, config: Config, *, in_channels: int):
        super().__init__()
        self.gland_network = nn.Sequential(
            UNetEncoder(in_channels, config.widths), UNetDecoder(config.widths), nn.Conv2d(config.widths[0], 1, 1)
        )
        self.encoder = UNetEncoder(in_channels, config.widths)
        self.decoder = GlandAttentiveDecoder(config.widths)
        self.mask_head = nn.Conv2d(config.widths[0], 1, 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        gland_logits = self.gland_network(image)
        decoded = self.decoder(self.encoder(image), gland_logits.sigmoid())
        return MultiTaskOutput(
            mask_logits=self.mask_head(decoded), class_logits=None, aux_masks={"gland": gland_logits}
        )


def build(config: Config, *, in_channels: int, class_count: int) -> MaUNet:
    """Without classes, `class_count` makes no difference."""
    return MaUNet(config, in_channels=in_channels)


SPEC = ModelSpec(
    id="ma_unet",
    title="MA U-Net",
    citation="Yang, Suzuki, Ye, Nosato, Izumori, Sakanashi: Tumor detection from breast ultrasound images using "
    "mammary gland attentive U-Net. IFMIA 2021",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(widths=(8, 16, 24)),
    build=build,
    mask_meaning=one_lesion_channel,
    map_meanings=map_meanings,
    deviations=(
        "Built from CTG-Net's description and the title's idea; widths, gates and the place of the attention (the "
        "skip connections) are own choices.",
        "Both U-Nets are trained together; whether the original trains them one after the other is not known here.",
        "Without gland masks the gland map has no truth, and the attention is whatever helps the tumour's loss.",
    ),
)
