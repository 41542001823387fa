"""Cross entropy of the region map (RMTL-Net, eq. 8)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.data_section import LARGEST_EDGE
from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import channels_of
from bustle.losses.outputs import map_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.region_map import BACKGROUND, PERITUMORAL, TUMOUR, region_map
from bustle.losses.setting import MAIN_MAP, LossSetting

REGION_OF_CHANNEL = {"tumour": TUMOUR, "peritumoral": PERITUMORAL, "background": BACKGROUND}


@dataclass(frozen=True, kw_only=True)
class Options:
    """`ring_width`: width of the peritumoral region in pixels of the network's grid."""

    ring_width: float = 32

    def __post_init__(self) -> None:
        if not 0 <= self.ring_width <= LARGEST_EDGE:
            raise ValueError(f"ring_width must be 0 to {LARGEST_EDGE}")


class RegionCrossEntropy:
    """Mean over pixels of -log p_r for the probability p_r of the true region r, then mean over cases with a mask.

    With the channels tumour and background alone, the ring counts as background.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        channels = setting.mask_meaning.channels if setting.mask_meaning else ()
        if sorted(channels) not in (sorted(REGION_OF_CHANNEL), ["background", "tumour"]):
            raise InputError(
                f"region_cross_entropy cannot use the mask channels ({', '.join(channels) or 'none'})",
                remedy="it needs tumour and background, with or without peritumoral",
            )
        self.channels = channels
        self.ring_width = options.ring_width if "peritumoral" in channels else 0.0

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = at_least_float32(map_logits_of(output, MAIN_MAP, loss="region_cross_entropy"))
        if logits.ndim != 4:
            raise InputError("the loss region_cross_entropy takes images, not volumes", remedy="leave it out")
        regions = region_map(batch.lesion_mask > 0, ring_width=self.ring_width)
        ordered = [self.channels.index(name) for name in REGION_OF_CHANNEL if name in self.channels]
        if len(ordered) == 2:
            regions = (regions == BACKGROUND).long()
        per_pixel = F.cross_entropy(channels_of(logits, ordered), regions, reduction="none")
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)
