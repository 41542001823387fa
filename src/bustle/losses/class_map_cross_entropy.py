"""Cross entropy of maps that have one channel per class of the lesion (Qu et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_map import channels_of
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import MAIN_MAP, LossSetting


@dataclass(frozen=True, kw_only=True)
class Options:
    """`map` is the mask or one of the network's other maps."""

    map: str = MAIN_MAP


class ClassMapCrossEntropy:
    """Softmax cross entropy against the case's class painted inside its lesions, mean over pixels and cases.

    Channels are found by the names of the recipe's classes. Where a lesion's class is unknown, or has no channel,
    its pixels ask for any lesion channel: -log Σ p_c. Cases without a mask cost nothing.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.meaning_of(options.map, loss="class_map_cross_entropy")
        if self.meaning.activation != "softmax":
            raise InputError(
                "the loss class_map_cross_entropy needs a softmax over the classes", remedy="leave it out"
            )
        channels = self.meaning.channels
        lesion = self.meaning.lesion_channels
        self.channel_of_class = tuple(
            channels.index(name) if name in channels and channels.index(name) in lesion else -1
            for name in setting.classes
        )
        if setting.classes and max(self.channel_of_class) < 0:
            raise InputError(
                "the loss class_map_cross_entropy needs a map for a class of the recipe",
                remedy=f"the maps are {', '.join(channels)}: change data.classes or the network's",
            )
        # As many classes as maps: the network gives its class logits in the order of the maps.
        own_order = tuple(sorted(self.channel_of_class))
        if own_order == tuple(sorted(lesion)) and self.channel_of_class != own_order:
            raise InputError(
                f"data.classes is in another order than the network's maps ({', '.join(channels)})",
                remedy="give both in the same order",
            )

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = at_least_float32(map_logits_of(output, self.options.map, loss="class_map_cross_entropy"))
        log_probability = logits.log_softmax(dim=1)
        other = [c for c in range(logits.shape[1]) if c not in self.meaning.lesion_channels]
        inside = channels_of(log_probability, self.meaning.lesion_channels).logsumexp(dim=1)
        for index, channel in enumerate(self.channel_of_class):
            if channel >= 0:
                is_class = (batch.has_label & (batch.label == index)).view(-1, *[1] * (inside.ndim - 1))
                inside = torch.where(is_class, log_probability[:, channel], inside)
        outside = channels_of(log_probability, other).logsumexp(dim=1)
        truth = lesion_truth(batch, size=logits.shape[2:])
        per_pixel = -torch.where(truth > 0, inside, outside)
        return mean_over(per_pixel.flatten(1).mean(dim=1), batch.has_mask, batch.mask_weight)
