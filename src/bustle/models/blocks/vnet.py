"""The V-Net of C_MS-VNet: nine stages of 3x3x3 convolutions, each added to what goes into it.

Milletari, Navab, Ahmadi, "V-Net", 3DV 2016, in the form of Zhou et al., Medical Image Analysis 2021, section 3.1:
all kernels 3x3x3, batch norm and ReLU after every convolution, 2x2x2 convolutions of stride 2 between the stages.
Stages 1 to 5 go down, 6 to 9 up again.

Own choices: widths, numbers of convolutions and the addition within a stage are the original V-Net's, as the text
does not give them; the last ReLU of a stage follows the addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.models.blocks.checkpointing import checkpointed
from bustle.models.blocks.padding import crop_to, pad_to_multiple

STRIDE = 16
"""Of stage 5: each side of a volume is padded to a multiple of it."""
WIDTHS = (1, 2, 4, 8, 16, 16, 8, 4, 2)
"""Channels of the stages 1 to 9, in widths of the first."""
CONVOLUTIONS = (1, 2, 3, 3, 3, 3, 3, 2, 1)
"""Of 3x3x3 in each stage."""
DEEPEST, LAST = 5, 9


@dataclass(frozen=True, kw_only=True)
class VNetConfig:
    """`width`: channels of the first stage, from which those of the others follow.

    `checkpointing` saves memory in training: what lies within a stage is computed twice instead of kept.
    """

    width: int = 16
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError("width must be at least 1")

    def channels(self, stage: int) -> int:
        """Of the map of a stage, counted from 1 as in the paper."""
        return self.width * WIDTHS[stage - 1]


class Stage(nn.Module):
    """`count` times 3x3x3 convolution, batch norm, ReLU: `B in D H W` to `B out D H W`.

    The input is added before the last ReLU; where it has other channels (the image), their mean is.
    """

    def __init__(self, in_channels: int, out_channels: int, *, count: int):
        super().__init__()
        self.same_width = in_channels == out_channels
        inputs = (in_channels, *[out_channels] * (count - 1))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv3d(i, out_channels, 3, padding=1), nn.BatchNorm3d(out_channels)) for i in inputs
        )

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.same_width else maps.mean(dim=1, keepdim=True)
        for layer in list(self.layers)[:-1]:
            maps = F.relu(layer(maps), inplace=True)
        return F.relu(self.layers[-1](maps) + shortcut, inplace=True)


class DownStage(nn.Sequential):
    """Halves the size, then a `Stage`."""

    def __init__(self, in_channels: int, out_channels: int, *, count: int):
        super().__init__(
            nn.Conv3d(in_channels, out_channels, 2, stride=2),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
            Stage(out_channels, out_channels, count=count),
        )


class UpStage(nn.Module):
    """Doubles the size to the skip's width, concatenates the skip, then a `Stage`."""

    def __init__(self, in_channels: int, skip_channels: int, *, count: int):
        super().__init__()
        self.up = nn.Sequential(
            nn.ConvTranspose3d(in_channels, skip_channels, 2, stride=2),
            nn.BatchNorm3d(skip_channels),
            nn.ReLU(inplace=True),
        )
        self.stage = Stage(2 * skip_channels, 2 * skip_channels, count=count)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.stage(torch.cat([self.up(coarse), skip], dim=1))


class VNet(nn.Module):
    """Maps volumes `B C D H W` of any size to the maps of the stages 1 to 9 and to mask logits `B K D H W`.

    K is `mask_channels`; with 0 there is no way up, the maps are those of stages 1 to 5 and the logits None. Volumes
    are padded with zeros at the far ends, and the stages' maps are those of the padded volume.
    """

    def __init__(self, in_channels: int, *, mask_channels: int, config: VNetConfig):
        super().__init__()
        self.checkpointing = config.checkpointing
        widths = [config.channels(stage) for stage in range(1, LAST + 1)]
        self.down = nn.ModuleList([Stage(in_channels, widths[0], count=CONVOLUTIONS[0])])
        for stage in range(1, DEEPEST):
            self.down.append(DownStage(widths[stage - 1], widths[stage], count=CONVOLUTIONS[stage]))
        self.up = nn.ModuleList()
        self.mask_head = None
        if mask_channels:
            for stage in range(DEEPEST, LAST):
                skip = widths[LAST - 1 - stage]
                self.up.append(UpStage(widths[stage - 1], skip, count=CONVOLUTIONS[stage]))
            self.mask_head = nn.Conv3d(widths[-1], mask_channels, 1)

    def forward(self, volume: Tensor) -> tuple[list[Tensor], Tensor | None]:
        run = checkpointed if self.checkpointing and self.training and torch.is_grad_enabled() else _run
        maps = pad_to_multiple(volume, STRIDE)
        stages: list[Tensor] = []
        for stage in self.down:
            maps = run(stage, maps)
            stages.append(maps)
        if self.mask_head is None:
            return stages, None
        for stage, skip in zip(self.up, stages[DEEPEST - 2 :: -1], strict=True):
            maps = run(stage, maps, skip)
            stages.append(maps)
        return stages, crop_to(self.mask_head(maps), volume.shape[2:])


def _run(stage: nn.Module, *inputs: Tensor) -> Tensor:
    return stage(*inputs)
