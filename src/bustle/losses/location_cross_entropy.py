"""Binary cross entropy of a coarse lesion map (LA-Net, eq. 6 and 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import lesion_logit
from bustle.losses.outputs import map_logits_of
from bustle.losses.setting import LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`map` is one of the network's maps, as a rule much smaller than the image."""

    map: str = "location"


class LocationCrossEntropy:
    """Mean over the map's cells of the binary cross entropy with the soft truth, then mean over cases with a mask.

    The printed one-term form would be least for a map of ones; both terms are taken, as in the authors' code.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.map = options.map
        self.meaning = setting.lesion_meaning_of(options.map, loss="location_cross_entropy")

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logit = lesion_logit(map_logits_of(output, self.map, loss="location_cross_entropy"), self.meaning)
        truth = soft_truth(batch, size=logit.shape[1:])
        per_cell = F.binary_cross_entropy_with_logits(logit, truth, reduction="none")
        return mean_over(per_cell.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)


def soft_truth(batch: Batch, *, size: Sequence[int]) -> Tensor:
    """The lesion mask `B *size` resized linearly with aligned corners: the outermost cells are the image's corners.

    A cell between lesion and background pixels is a fraction. A mask that was enlarged from such a map comes back.
    """
    lesion = (batch.lesion_mask > 0).float().unsqueeze(1)
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(lesion, size=tuple(size), mode=mode, align_corners=True).squeeze(1)
