"""torchvision's FCN and DeepLabV3 heads over a dilated ResNet: one sigmoid map.

Long et al., CVPR 2015 (FCN) and Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017
(DeepLabV3), in the layout of torchvision's `fcn_resnet50`, `fcn_resnet101` and `deeplabv3_resnet50`: its heads on a
timm encoder of stride 8, which is the same graph as torchvision's own ResNet and takes any of timm's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """`head` on the last map of `backbone`, a timm encoder that can dilate its last stages to `output_stride`."""

    head: Literal["fcn", "deeplab_v3"] = "fcn"
    backbone: str = "resnet50"
    output_stride: Literal[8, 16, 32] = 8


class TorchvisionSegmenter(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W`."""

    def __init__(self, config: Config, *, in_channels: int, encoder_weights: str | None):
        # Imported here because it takes seconds.
        from torchvision.models.segmentation.deeplabv3 import DeepLabHead
        from torchvision.models.segmentation.fcn import FCNHead

        super().__init__()
        self.encoder = build_encoder(
            config.backbone,
            in_channels=in_channels,
            weights=encoder_weights,
            options={"output_stride": config.output_stride},
        )
        head = FCNHead if config.head == "fcn" else DeepLabHead
        self.mask_head = head(self.encoder.channels[-1], 1)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        mask_logits = self.mask_head(self.encoder(image)[-1])
        return MultiTaskOutput(mask_logits=resize_to(mask_logits, image.shape[-2:]), class_logits=None)


def build(
    config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None
) -> TorchvisionSegmenter:
    return TorchvisionSegmenter(config, in_channels=in_channels, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="torchvision_segmenter",
    title="FCN or DeepLabV3 of torchvision",
    citation="Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation. CVPR 2015; "
    "Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation. 2017",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(backbone="test_resnet"),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=one_lesion_channel,
    deviations=("Without torchvision's auxiliary head, which it leaves out by default too.",),
)
