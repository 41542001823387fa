"""The U-Net of Chakravarty and Sivaswamy whose class branch sees the predicted map beside the deepest features.

"A Deep Learning based Joint Segmentation and Classification Framework for Glaucoma Assessment in Retinal Color Fundus
Images", arXiv 1808.01355, 2018: the predicted map is brought to the size of the deepest feature map and concatenated
with it (appearance and structure), then convolutions, global average pooling and a linear layer.

Own choices: batch norm; one sigmoid channel for the lesion; the map is brought down by averaging; two convolutions
of 256 channels; the gradient of the classes reaches the mask through the map, unless `detach_map`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.unet import DoubleConv, UNetDecoder, UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `widths`: the channels of the levels, fine to coarse. `class_width`: those of the class branch's two convolutions.
    `detach_map`: the class loss does not teach the mask.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    class_width: int = 256
    detach_map: bool = False

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 1:
            raise ValueError("widths must be 2 to 5 numbers of at least 1")
        if self.class_width < 1:
            raise ValueError("class_width must be at least 1")


def with_map(features: Tensor, mask_logits: Tensor) -> Tensor:
    """`B C h w` and the lesion's mean probability in each of its cells: `B C+1 h w`."""
    probability = F.interpolate(mask_logits.sigmoid(), size=features.shape[-2:], mode="area")
    return torch.cat([features, probability], dim=1)


class Chakravarty2018(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        self.detach_map = config.detach_map
        self.encoder = UNetEncoder(in_channels, config.widths)
        self.decoder = UNetDecoder(config.widths)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        self.class_features = DoubleConv(config.widths[-1] + 1, config.class_width)
        self.class_head = MeanPooledLinear(config.class_width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        mask_logits = resize_to(self.mask_head(self.decoder(features)), image.shape[-2:])
        seen = with_map(features[-1], mask_logits.detach() if self.detach_map else mask_logits)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(self.class_features(seen)))


SPEC = ModelSpec(
    id="chakravarty_2018",
    title="U-Net with a class branch on features and map (Chakravarty & Sivaswamy 2018)",
    citation="Chakravarty, Sivaswamy: A Deep Learning based Joint Segmentation and Classification Framework for "
    "Glaucoma Assessment in Retinal Color Fundus Images. arXiv 1808.01355, 2018",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(8, 12, 16, 24), class_width=16),
    build=Chakravarty2018,
    mask_meaning=one_lesion_channel,
    deviations=(
        "The method segments the optic disc and cup; here one map of the lesion takes their place.",
        "The widths and the two convolutions of the class branch are chosen.",
    ),
)
