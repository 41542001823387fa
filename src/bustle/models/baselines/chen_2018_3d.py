"""The spatial pyramid class branch of Chen, Bai and Rueckert on a V-Net, for volumes.

"Multi-Task Learning for Left Atrial Segmentation on GE-MRI", STACOM 2018, as the paper of C_MS-VNet compares it: all
operations in 3D, on that paper's backbone. `chen_2018` is the network for images. The V-Net goes down four times, so
that the map after the fourth down-sampling, which the class branch reads, is the deepest.

Own choices: 4³, 2³ and 1 cells; cells of maps that a grid does not divide overlap; mask channels as in C_MS-VNet.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.pyramid_pool import pyramid_pool
from bustle.models.blocks.vnet import DEEPEST, VNet, VNetConfig
from bustle.models.mask_meanings import background_and_lesion


@dataclass(frozen=True, kw_only=True)
class Config(VNetConfig):
    """The network's switches, beside those of the V-Net.

    `grids` of the pyramid, cells per side. `hidden`: the width of the first linear layer; no activation follows it.
    `dropout` stands between the two linear layers.
    """

    grids: tuple[int, ...] = (4, 2, 1)
    hidden: int = 512
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.grids or min(self.grids) < 1:
            raise ValueError("grids must be numbers of at least 1 cell per side")
        if self.hidden < 1:
            raise ValueError("hidden must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")


class Chen2018Volume(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        self.grids = config.grids
        self.vnet = VNet(in_channels, mask_channels=2, config=config)
        cells = sum(grid**3 for grid in config.grids)
        self.class_head = nn.Sequential(
            nn.Linear(cells * config.channels(DEEPEST), config.hidden),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, class_count),
        )

    def forward(self, image: Tensor) -> MultiTaskOutput:
        stages, mask_logits = self.vnet(image)
        pooled = pyramid_pool(stages[DEEPEST - 1], self.grids).flatten(1)
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=self.class_head(pooled))


SPEC = ModelSpec(
    id="chen_2018_3d",
    title="V-Net with a spatial pyramid class branch (Chen et al. 2018, in 3D)",
    citation="Chen, Bai, Rueckert: Multi-Task Learning for Left Atrial Segmentation on GE-MRI. STACOM 2018",
    dims=3,
    task="joint",
    config_type=Config,
    tiny=Config(width=2, hidden=16),
    build=Chen2018Volume,
    mask_meaning=background_and_lesion,
    deviations=(
        "The V-Net of C_MS-VNet takes the place of the method's U-Net, as in the comparison of that paper; it has "
        "four down-samplings, the method's own has five.",
        "The pyramid's grids are 4, 2 and 1 cells along every axis; how the comparison extended them to 3D is not "
        "stated.",
    ),
)
