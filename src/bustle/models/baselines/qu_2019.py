"""The network of Qu et al. that predicts one map per class and reads the image's class from its maps.

"Joint Segmentation and Fine-Grained Classification of Nuclei in Histopathology Images", ISBI 2019: a U-Net with
ResNet-34 encoder whose softmax channels are the background and every class, trained with a perceptual loss beside
the cross entropy. Here the object is the lesion, and its class is the image's.

Own choices: the image's class is the soft form of "the class with the most foreground pixels": the mean of each
class's probability, weighted by that of the lesion. Classes that are not those of the maps (a recipe with a class
for normal images) are read from the same means and the largest lesion probability by one linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.class_maps import log_class_means, with_largest_lesion
from bustle.models.blocks.decoder import Decoder, resize_to
from bustle.models.blocks.encoder import build_encoder


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm. `decoder_channels`: one width per
    decoder block but the last, coarse to fine, or None for each skip's own. `lesion_classes`: the classes that have
    a map of their own; a recipe whose `data.classes` are just as many reads its classes from them, in this order.
    """

    backbone: str = "resnet34"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    decoder_channels: tuple[int, ...] | None = (256, 128, 64, 32)
    lesion_classes: tuple[str, ...] = ("benign", "malignant")

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.decoder_channels or ()):
            raise ValueError("decoder_channels must be at least 1")
        if len(self.lesion_classes) < 2 or len(set(self.lesion_classes)) < len(self.lesion_classes):
            raise ValueError("lesion_classes must name at least two classes, and each only once")
        if "background" in self.lesion_classes:
            raise ValueError("lesion_classes must not name the background, which always has a map")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over the background and the lesion's classes; the lesion is whatever has a class."""
    channels = ("background", *config.lesion_classes)
    return MaskMeaning(channels=channels, activation="softmax", lesion_channels=tuple(range(1, len(channels))))


class Qu2019(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to map logits `B 1+N H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        self.encoder = build_encoder(
            config.backbone, in_channels=in_channels, weights=encoder_weights, options=config.backbone_options
        )
        self.decoder = Decoder(self.encoder.channels, self.encoder.reductions, channels=config.decoder_channels)
        maps = 1 + len(config.lesion_classes)
        self.mask_head = nn.Conv2d(self.decoder.out_channels, maps, 1)
        self.class_head = nn.Linear(maps, class_count) if class_count != len(config.lesion_classes) else None

    def forward(self, image: Tensor) -> MultiTaskOutput:
        logits = resize_to(self.mask_head(self.decoder(self.encoder(image))), image.shape[-2:])
        class_logits = log_class_means(logits)
        if self.class_head is not None:
            class_logits = self.class_head(with_largest_lesion(logits, class_logits))
        return MultiTaskOutput(mask_logits=logits, class_logits=class_logits)


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> Qu2019:
    return Qu2019(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="qu_2019",
    title="One map per class (Qu et al. 2019)",
    citation="Qu, Riedlinger, Wu, Huang, Yi, De, Metaxas: Joint Segmentation and Fine-Grained Classification of "
    "Nuclei in Histopathology Images. ISBI 2019",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", decoder_channels=(32, 24, 16, 8)),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    deviations=(
        "The method classifies many nuclei per image; here the one lesion's class is the image's, read as the mean "
        "class probability within the predicted lesion.",
        "The layout of the decoder is that of this toolkit's other networks.",
    ),
)
