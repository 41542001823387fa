"""The class branch of Chakravarty and Sivaswamy, which sees the predicted map, on a V-Net for volumes.

"A Deep Learning based Joint Segmentation and Classification Framework for Glaucoma Assessment in Retinal Color Fundus
Images", arXiv 1808.01355, 2018, as the paper of C_MS-VNet compares it: all operations in 3D, on that paper's
backbone. `chakravarty_2018` is the network for images.

Own choices: the map is brought down by averaging; two convolutions of 64 channels, a quarter of the V-Net's deepest
width; the gradient of the classes reaches the mask through the map, unless `detach_map`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.padding import pad_to_multiple
from bustle.models.blocks.vnet import DEEPEST, STRIDE, VNet, VNetConfig
from bustle.models.mask_meanings import background_and_lesion


@dataclass(frozen=True, kw_only=True)
class Config(VNetConfig):
    """The network's switches, beside those of the V-Net.

    `class_width`: the channels of the class branch's two convolutions. `detach_map`: the class loss does not teach
    the mask.
    """

    class_width: int = 64
    detach_map: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_width < 1:
            raise ValueError("class_width must be at least 1")


def with_map(deepest: Tensor, mask_logits: Tensor) -> Tensor:
    """The deepest features `B C d h w` and the lesion's mean probability in each of their cells: `B C+1 d h w`."""
    lesion = pad_to_multiple(mask_logits.softmax(dim=1)[:, 1:], STRIDE)  # nothing lies beyond the volume
    return torch.cat([deepest, F.avg_pool3d(lesion, STRIDE)], dim=1)


class Chakravarty2018Volume(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        self.detach_map = config.detach_map
        self.vnet = VNet(in_channels, mask_channels=2, config=config)
        width = config.class_width
        layers: list[nn.Module] = []
        for channels in (config.channels(DEEPEST) + 1, width):
            layers += [nn.Conv3d(channels, width, 3, padding=1, bias=False), nn.BatchNorm3d(width), nn.ReLU()]
        self.class_features = nn.Sequential(*layers)
        self.class_head = MeanPooledLinear(width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        stages, mask_logits = self.vnet(image)
        seen = with_map(stages[DEEPEST - 1], mask_logits.detach() if self.detach_map else mask_logits)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(self.class_features(seen)))


SPEC = ModelSpec(
    id="chakravarty_2018_3d",
    title="V-Net with a class branch on features and map (Chakravarty & Sivaswamy 2018, in 3D)",
    citation="Chakravarty, Sivaswamy: A Deep Learning based Joint Segmentation and Classification Framework for "
    "Glaucoma Assessment in Retinal Color Fundus Images. arXiv 1808.01355, 2018",
    dims=3,
    task="joint",
    config_type=Config,
    tiny=Config(width=2, class_width=8),
    build=Chakravarty2018Volume,
    mask_meaning=background_and_lesion,
    deviations=(
        "The V-Net of C_MS-VNet takes the place of the method's U-Net, as in the comparison of that paper.",
        "The method segments the optic disc and cup; here one map of the lesion takes their place.",
        "The widths and the two convolutions of the class branch are chosen.",
    ),
)
