"""The class head of Wang, Patel and Hacihaliloglu on the bottleneck of a V-Net, for volumes.

"Simultaneous Segmentation and Classification of Bone Surfaces from Ultrasound Using a Multi-Feature Guided CNN",
MICCAI 2018, as the paper of C_MS-VNet compares it: all operations in 3D, on that paper's backbone. `wang_2018` is the
network for images.

Own choices: the class head's 1x1x1 convolution keeps the width; mask channels as in C_MS-VNet.
"""

from __future__ import annotations

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.vnet import DEEPEST, VNet, VNetConfig
from bustle.models.mask_meanings import background_and_lesion


class Wang2018Volume(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: VNetConfig, *, in_channels: int, class_count: int):
        super().__init__()
        self.vnet = VNet(in_channels, mask_channels=2, config=config)
        width = config.channels(DEEPEST)
        self.class_features = nn.Sequential(nn.Conv3d(width, width, 1, bias=False), nn.BatchNorm3d(width), nn.ReLU())
        self.class_head = MeanPooledLinear(width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        stages, mask_logits = self.vnet(image)
        class_logits = self.class_head(self.class_features(stages[DEEPEST - 1]))
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


SPEC = ModelSpec(
    id="wang_2018_3d",
    title="V-Net with a class head (Wang et al. 2018, in 3D)",
    citation="Wang, Patel, Hacihaliloglu: Simultaneous Segmentation and Classification of Bone Surfaces from "
    "Ultrasound Using a Multi-Feature Guided CNN. MICCAI 2018",
    dims=3,
    task="joint",
    config_type=VNetConfig,
    tiny=VNetConfig(width=2),
    build=Wang2018Volume,
    mask_meaning=background_and_lesion,
    deviations=(
        "The V-Net of C_MS-VNet takes the place of the method's U-Net, as in the comparison of that paper.",
        "The pre-enhancing network on phase filters is left out: it is specific to bone.",
        "The class head is a 1x1x1 convolution of the bottleneck's width, global pooling and one linear layer.",
    ),
)
