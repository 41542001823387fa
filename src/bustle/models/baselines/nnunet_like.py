"""A U-Net in the style of nnU-Net, with a class head.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", Nature
Methods 2021. The style of its plain 2D network: two convolutions per stage with instance norm and leaky ReLU,
strided convolutions down and transposed ones up, widths that double to a cap, deep supervision. This is an
approximation from secondary sources, not the framework: nothing here configures itself from the data set, and its
numbers are not nnU-Net's.

Own choices: the class head, a linear layer on the mean and the maximum of every bottleneck channel (an instance norm
takes most of what the mean alone says); no bias before a norm, which would cancel it; images whose sides the strides
do not divide are resized bilinearly to the next that they do, so that every map covers the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.unet import ConvStyle, DoubleConv, UNetDecoder

STYLE = ConvStyle(norm="instance", activation="leaky_relu", leaky_slope=0.01)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's layout.

    `stages`: resolutions of the encoder. nnU-Net halves while a side stays at least 4 pixels long: 7 at 256 px, 6 at
    128 px. The first has `base_width` channels, each next twice as many up to `max_width`.
    `deep_maps`: how many of the coarser decoder stages give a map of their own, deep_1 at half the size, deep_2 at a
    quarter …; nnU-Net takes all but the coarsest, which is `stages` - 3.
    """

    stages: int = 7
    base_width: int = 32
    max_width: int = 512
    deep_maps: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.stages < 2:
            raise ValueError("stages must be at least 2")
        if not 1 <= self.base_width <= self.max_width:
            raise ValueError("base_width must be at least 1 and at most max_width")
        if not 0 <= self.deep_maps <= self.stages - 2:
            raise ValueError("deep_maps must be at least 0 and at most stages - 2")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage, fine to coarse."""
        return tuple(min(self.base_width << stage, self.max_width) for stage in range(self.stages))


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over background and lesion."""
    return MaskMeaning(channels=("background", "lesion"), activation="softmax", lesion_channels=(1,))


def map_meanings(config: Config) -> dict[str, MaskMeaning]:
    """The maps of deep supervision mean the same as the mask."""
    return {f"deep_{level}": mask_meaning(config) for level in range(1, config.deep_maps + 1)}


class NnunetLike(nn.Module):
    """Maps images `B C H W` to mask logits `B 2 H W`, class logits `B N` and the maps deep_1, deep_2, …"""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        widths = config.widths
        inputs = (in_channels, *widths[:-1])
        self.encoder = nn.ModuleList(
            DoubleConv(i, o, style=STYLE, stride=1 if level == 0 else 2)
            for level, (i, o) in enumerate(zip(inputs, widths, strict=True))
        )
        self.decoder = UNetDecoder(widths, style=STYLE)
        self.mask_heads = nn.ModuleList(nn.Conv2d(width, 2, 1) for width in widths[: config.deep_maps + 1])
        self.class_head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(2 * widths[-1], class_count))
        self.stride = 2 ** (config.stages - 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, a=STYLE.leaky_slope)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        features = [resize_to(image, [self._divisible(edge) for edge in image.shape[-2:]])]
        for level in self.encoder:
            features.append(level(features[-1]))
        stages = self.decoder.forward_stages(features[1:])[::-1]  # fine to coarse
        logits = [head(stage) for head, stage in zip(self.mask_heads, stages, strict=False)]
        pooled = torch.cat([features[-1].mean(dim=(-2, -1)), features[-1].amax(dim=(-2, -1))], dim=1)
        return MultiTaskOutput(
            mask_logits=resize_to(logits[0], image.shape[-2:]),
            class_logits=self.class_head(pooled),
            aux_masks={f"deep_{level}": maps for level, maps in enumerate(logits[1:], start=1)},
        )

    def _divisible(self, edge: int) -> int:
        """The next edge that leaves whole pixels at the bottleneck, two at least: a norm over one is none."""
        return max(2, -(-edge // self.stride)) * self.stride


def build(config: Config, *, in_channels: int, class_count: int) -> NnunetLike:
    return NnunetLike(config, in_channels=in_channels, class_count=class_count)


SPEC = ModelSpec(
    id="nnunet_like",
    title="U-Net in the style of nnU-Net",
    citation="Isensee, Jaeger, Kohl, Petersen, Maier-Hein: nnU-Net: a self-configuring method for deep "
    "learning-based biomedical image segmentation. Nature Methods 2021",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(stages=4, base_width=8, max_width=48, deep_maps=1),
    build=build,
    mask_meaning=mask_meaning,
    map_meanings=map_meanings,
    deviations=(
        "An approximation in the style of nnU-Net from secondary sources, not the framework: its numbers are not "
        "nnU-Net's.",
        "nnU-Net plans stages, patch and batch size from the data set; here they are settings.",
        "The class head is added: nnU-Net segments only.",
        "Convolutions before a norm have no bias.",
        "Whole images are resized, nnU-Net tiles patches at the data set's spacing.",
    ),
)
