"""Agreement of the class with the outline: normal where nothing is drawn, a lesion's class where something is.

The authors of CTG-Net (Yang et al., PLoS ONE 2022, limitations and conclusion) name a loss between the two tasks as
future work, for images called normal in which a lesion is drawn and images called malignant in which none is; they
give no formula. This form is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.types import Batch
from bustle.losses.outputs import class_logits_of, map_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import MAIN_MAP, LossSetting

NORMAL = "normal"


@dataclass(frozen=True, kw_only=True)
class Options:
    """`sharpness` r of the smooth maximum; the larger, the nearer to the largest probability of the map."""

    sharpness: float = 50.0

    def __post_init__(self) -> None:
        if self.sharpness <= 0:
            raise ValueError("sharpness must be positive")


class Consistency:
    """(m - (1 - P(normal)))², mean over all cases.

    m = log(mean over pixels of exp(r p)) / r is a smooth maximum of the lesion map p (log-sum-exp pooling, Pinheiro
    and Collobert, CVPR 2015): between the mean and the maximum, and without a pixel that it pushes up when p should
    fall. A lesion that is drawn with certainty on a part f of the image gives 1 + log(f) / r, 0.94 for a twentieth.
    Both tasks receive gradient, equal and opposite; the loss favours neither, nor certainty. It needs no annotation,
    so every case counts, also one without mask and class. It belongs to the segmentation in a weighting of tasks.
    """

    options_type = Options
    task = "seg"
    needs_annotation = False

    def __init__(self, options: Options, *, setting: LossSetting):
        if NORMAL not in setting.classes:
            raise InputError(
                f"the loss consistency needs the class '{NORMAL}' among data.classes "
                f"({', '.join(setting.classes) or 'none'})",
                remedy="add it, or leave the loss out",
            )
        self.sharpness = options.sharpness
        self.meaning = setting.lesion_meaning_of(MAIN_MAP, loss="consistency")
        self.normal = setting.classes.index(NORMAL)

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        pixels = self.meaning.lesion_map(map_logits_of(output, MAIN_MAP, loss="consistency")).flatten(1)
        log_count = math.log(pixels.shape[1])
        drawn = ((self.sharpness * pixels).logsumexp(dim=1) - log_count) / self.sharpness
        normal = at_least_float32(class_logits_of(output, loss="consistency")).softmax(dim=1)[:, self.normal]
        return (drawn - (1 - normal)).square().mean()
