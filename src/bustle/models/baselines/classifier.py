"""Any timm classifier: the networks for classes only that the papers compare with.

VGG-16 (Simonyan & Zisserman, ICLR 2015), ResNet (He et al., CVPR 2016), DenseNet (Huang et al., CVPR 2017),
EfficientNet (Tan & Le, ICML 2019), ViT (Dosovitskiy et al., ICLR 2021) and every other classifier of timm, by name,
with a new linear layer for the classes.

Own choices: the new layer starts as PyTorch starts a linear layer; what RMTL-Net's printed parameter counts
demand of ImageNet's layer (`imagenet_layer`) is random, not pretrained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.timm_body import create_body, load_body_weights, timm_name

IMAGENET_CLASSES = 1000


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm classifier, with `backbone_options` for timm. A vision transformer takes images of other
    sizes than its own with {dynamic_img_size: true, dynamic_img_pad: true}: its position embedding is interpolated,
    and images are padded to whole patches. `stem`: `deep` is the three-convolution stem of a ResNet. `dropout`
    before the last layer is timm's `drop_rate`. `imagenet_layer`: ImageNet's 1000-class layer is `replaced` by one
    for the classes, or kept `unused` and frozen beside it, or `read`: its first outputs are the class logits.
    """

    backbone: str = "resnet50"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    stem: Literal["standard", "deep"] = "standard"
    dropout: float = 0.0
    imagenet_layer: Literal["replaced", "unused", "read"] = "replaced"

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class Body(nn.Module):
    """A timm classifier without its last layer: `B C H W` to features `B channels`."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body
        sizes: Any = body
        self.channels = int(getattr(sizes, "head_hidden_size", None) or sizes.num_features)

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image)


class Classifier(nn.Module):
    """Maps images `B C H W` to class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        name = timm_name(config.backbone, deep_stem=config.stem == "deep")
        settings = {
            **config.backbone_options,
            "drop_rate": config.dropout,
            "in_chans": in_channels,
            "num_classes": 0,
        }
        self.encoder = Body(create_body(name, settings, role="a classifier"))
        load_body_weights(self.encoder.body, encoder_weights, name=name, settings=settings)
        self.class_count = class_count
        outputs = IMAGENET_CLASSES if config.imagenet_layer == "read" else class_count
        self.class_head = nn.Linear(self.encoder.channels, outputs)
        if config.imagenet_layer == "unused":
            self.unused_fc = nn.Linear(self.encoder.channels, IMAGENET_CLASSES).requires_grad_(False)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        logits = self.class_head(self.encoder(image))
        return MultiTaskOutput(mask_logits=None, class_logits=logits[:, : self.class_count])


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> Classifier:
    return Classifier(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="classifier",
    title="timm classifier",
    citation="He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition. CVPR 2016 (the default, ResNet-50); "
    "timm: Wightman, PyTorch Image Models, 2019",
    dims=2,
    task="cls",
    config_type=Config,
    tiny=Config(backbone="test_resnet"),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=lambda config: None,
    deviations=(
        "timm's form of a network and its ImageNet weights are used; the papers do not say which they started from.",
    ),
    without_gradient=lambda config: ("unused_fc.",) if config.imagenet_layer == "unused" else (),
)
