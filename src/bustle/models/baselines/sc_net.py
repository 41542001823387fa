"""SC-Net: one fully convolutional ResNet with a segmentation and a classification head.

Thome, Bernard, Bismuth, Patoureaux et al., "Multitask classification and segmentation for cancer diagnosis in
mammography", MIDL 2019 (extended abstract). The segmentation head is one 1x1 convolution on the last features whose
maps are enlarged, the classification head global pooling and one linear layer.

Own choices: ResNet-50; two maps, background and lesion; bilinear enlargement from stride 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import build_encoder
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.mask_meanings import background_and_lesion


@dataclass(frozen=True, kw_only=True)
class Config:
    """`backbone`: any timm `features_only` encoder, with `backbone_options` for timm (such as `output_stride`)."""

    backbone: str = "resnet50"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)


class ScNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        width = self.encoder.channels[-1]
        self.mask_head = nn.Conv2d(width, 2, 1)
        self.class_head = MeanPooledLinear(width, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        deepest = self.encoder(image)[-1]
        return MultiTaskOutput(
            mask_logits=resize_to(self.mask_head(deepest), image.shape[-2:]),
            class_logits=self.class_head(deepest),
        )


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> ScNet:
    return ScNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="sc_net",
    title="SC-Net",
    citation="Thome, Bernard, Bismuth, Patoureaux, et al.: Multitask Classification and Segmentation for Cancer "
    "Diagnosis in Mammography. MIDL 2019, extended abstract",
    dims=2,
    task="joint",
    config_type=Config,
    # Strides 2, 4 and 8: the deepest map of a 64 px image is 8 x 8, as that of 256 px at full size.
    tiny=Config(backbone="test_resnet", backbone_options={"out_indices": (0, 1, 2)}),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=background_and_lesion,
    deviations=(
        "Which ResNet, and the stride of its last maps, are not known here: ResNet-50, stride 32.",
        "Two maps, background and lesion; the mammography maps have more classes.",
    ),
)
