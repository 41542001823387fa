"""An approximation of Xie et al. 2018 on a V-Net, for volumes: a class head and a decoder without cross link.

Xie, Shi, Niu, Tang, "Breast Ultrasound Image Classification and Segmentation Using Convolutional Neural Networks",
PCM 2018, first classifies with a ResNet and then segments in the manner of Mask R-CNN. This file is NOT that method:
it is what the comparison in the paper of C_MS-VNet makes of it, on that paper's backbone, described there in one
sentence. It is built from secondary sources, and its numbers are not the method's. `xie_like` is the network for
images.
"""

from __future__ import annotations

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.vnet import DEEPEST, VNet, VNetConfig
from bustle.models.mask_meanings import background_and_lesion


class XieLikeVolume(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: VNetConfig, *, in_channels: int, class_count: int):
        super().__init__()
        self.vnet = VNet(in_channels, mask_channels=2, config=config)
        self.class_head = MeanPooledLinear(config.channels(DEEPEST), class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        stages, mask_logits = self.vnet(image)
        class_logits = self.class_head(stages[DEEPEST - 1])
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


SPEC = ModelSpec(
    id="xie_like_3d",
    title="V-Net and class head without cross links (in the manner of Xie et al. 2018)",
    citation="Xie, Shi, Niu, Tang: Breast Ultrasound Image Classification and Segmentation Using Convolutional "
    "Neural Networks. PCM 2018",
    dims=3,
    task="joint",
    config_type=VNetConfig,
    tiny=VNetConfig(width=2),
    build=XieLikeVolume,
    mask_meaning=background_and_lesion,
    deviations=(
        "An approximation from secondary sources: its numbers are not those of Xie et al.",
        "The method's two stages, a classifier and then a Mask R-CNN, are one V-Net with two heads here, as in the "
        "comparison that the paper of C_MS-VNet makes.",
    ),
)
