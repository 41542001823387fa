"""AlexNet in torchvision's form, which timm does not have: five convolutions and three linear layers.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014 (the one-column network).
Layers are named as in torchvision, whose ImageNet weights fit.

Own choices: `width` for smaller networks; an image below the 64 px that the layers need per side is enlarged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.core.paths import given_path
from bustle.models.blocks.decoder import resize_to
from bustle.models.weights import load_encoder_weights

SMALLEST_EDGE = 64
GRID = 6
"""The linear layers see a map of 6 x 6 cells, whatever the image's size."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`width` multiplies the channels of every layer; `dropout` stands before both hidden linear layers."""

    width: float = 1.0
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if not 1 / 64 <= self.width <= 4:
            raise ValueError("width must lie between 1/64 and 4")


class Body(nn.Module):
    """AlexNet without its last layer: `B C H W` to features `B channels`."""

    def __init__(self, in_channels: int, *, width: float, dropout: float):
        super().__init__()
        a, b, c, d, hidden = (round(width * channels) for channels in (64, 192, 384, 256, 4096))
        self.features = nn.Sequential(
            *(nn.Conv2d(in_channels, a, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
            *(nn.Conv2d(a, b, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
            *(nn.Conv2d(b, c, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(c, d, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(d, d, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(GRID)
        self.classifier = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(d * GRID**2, hidden), nn.ReLU()),
            *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()),
        )
        self.pretrained_cfg = {"first_conv": "features.0"}  # what a weights file of other channels is adapted at
        self.channels = hidden

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(image)).flatten(1))


class Encoder(nn.Module):
    """The body at a size that it takes."""

    def __init__(self, body: Body):
        super().__init__()
        self.body = body

    def forward(self, image: Tensor) -> Tensor:
        return self.body(resize_to(image, [max(edge, SMALLEST_EDGE) for edge in image.shape[-2:]]))


class AlexNet(nn.Module):
    """Maps images `B C H W` to class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        body = Body(in_channels, width=config.width, dropout=config.dropout)
        if encoder_weights is not None:
            fetched = _fetched() if encoder_weights == "imagenet" else None
            load_encoder_weights(body, given_path(encoder_weights), weights=fetched)
        self.encoder = Encoder(body)
        self.class_head = nn.Linear(body.channels, class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        return MultiTaskOutput(mask_logits=None, class_logits=self.class_head(self.encoder(image)))


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> AlexNet:
    return AlexNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


def _fetched() -> Mapping[str, Tensor]:
    """Torchvision's pretrained weights."""
    from torchvision.models import AlexNet_Weights

    try:
        return AlexNet_Weights.DEFAULT.get_state_dict(progress=False)
    except Exception as error:  # each transport has errors of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"the ImageNet weights of AlexNet cannot be fetched ({reason})",
            remedy="give a local file with --init FILE.safetensors, or set model.encoder_weights=null",
        ) from error


SPEC = ModelSpec(
    id="alexnet",
    title="AlexNet",
    citation="Krizhevsky: One weird trick for parallelizing convolutional neural networks. arXiv 1404.5997, 2014",
    dims=2,
    task="cls",
    config_type=Config,
    tiny=Config(width=1 / 16),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=lambda config: None,
    deviations=("Images with an edge below 64 px are enlarged to it, because the layers take no smaller ones.",),
)
