"""FCN-8s: VGG-16 whose fully connected layers are convolutions, scored at three strides.

Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015; compared in RMTL-Net
(IEEE Access 2023), whose printed count, 134,270,278, this layout has exactly: up-sampling is bilinear and has no
weights.

Own choices: fc6 is padded by 3 so that the map keeps its size (the original pads the image by 100 pixels and
crops); any timm encoder may stand for VGG-16, whose maps are pooled first, because timm gives them before pooling.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder

CHANNELS = ("tumour", "background")


@dataclass(frozen=True, kw_only=True)
class Config:
    """`backbone`: a timm encoder with maps at strides 8, 16 and 32. `fc_channels`: width of fc6 and fc7."""

    backbone: str = "vgg16"
    fc_channels: int = 4096
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.fc_channels < 1:
            raise ValueError("fc_channels must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over tumour and background."""
    return MaskMeaning(channels=CHANNELS, activation="softmax", lesion_channels=(0,))


class Fcn8s(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W`."""

    def __init__(self, config: Config, *, in_channels: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(config.backbone, in_channels=in_channels, weights=encoder_weights)
        # The maps that enter the last two blocks: a VGG's are given before their pooling, a ResNet's at stride.
        self.pool_first = self.encoder.reductions[0] == 1
        eighth, sixteenth = (-4, -3) if self.pool_first else (-3, -2)
        self.skip_index = (sixteenth, eighth)
        channels = self.encoder.channels
        width = config.fc_channels
        self.fc = nn.Sequential(
            *(nn.Conv2d(channels[-1], width, 7, padding=3), nn.ReLU(), nn.Dropout2d(config.dropout)),
            *(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Dropout2d(config.dropout)),
        )
        self.score = nn.Conv2d(width, len(CHANNELS), 1)
        self.skip_scores = nn.ModuleList(nn.Conv2d(channels[index], len(CHANNELS), 1) for index in self.skip_index)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = self.encoder(image)
        scores = self.score(self.fc(features[-1]))
        for index, skip_score in zip(self.skip_index, self.skip_scores, strict=True):
            skip = F.max_pool2d(features[index], 2) if self.pool_first else features[index]
            scores = resize_to(scores, skip.shape[-2:]) + skip_score(skip)
        return MultiTaskOutput(mask_logits=resize_to(scores, image.shape[-2:]), class_logits=None)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> Fcn8s:
    return Fcn8s(config, in_channels=in_channels, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="fcn8s",
    title="FCN-8s",
    citation="Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation. CVPR 2015",
    dims=2,
    task="seg",
    config_type=Config,
    tiny=Config(backbone="test_resnet", fc_channels=16),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "fc6 is padded by 3 pixels so that maps keep their size; the original pads the image by 100 and crops.",
        "fc6 and fc7 start from random weights, also where the encoder starts from ImageNet's.",
        "Score layers start from random weights, not from zero.",
    ),
)
