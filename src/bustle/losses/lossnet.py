"""LossNet: predicted and true masks compared through the eyes of a frozen VGG16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
from bustle.core.paths import given_path
from bustle.core.types import Batch
from bustle.losses.case_mean import mean_over
from bustle.losses.lesion_truth import lesion_truth
from bustle.losses.outputs import map_logits_of
from bustle.losses.precision import at_least_float32
from bustle.losses.setting import MAIN_MAP, LossSetting
from bustle.losses.vgg_features import LEVELS, VggFeatures, check_weights_file, vgg_features


@dataclass(frozen=True, kw_only=True)
class Options:
    """`weights` of the VGG16: `imagenet` (fetched when first needed), the path of a safetensors file, or `random`.

    A network of random filters, the same ones in every run, is a poorer yardstick, and never taken unless asked for.
    `layers` is the number of levels compared, from relu1_2 on. `distance`: `mse` is the mean squared difference of a
    level's features, `norm` their Euclidean distance, which grows with the size of the map. `map` is the mask or one
    of the network's other maps, at least 8 px per side.
    """

    weights: str = "imagenet"
    layers: int = len(LEVELS)
    distance: Literal["mse", "norm"] = "mse"
    map: str = MAIN_MAP

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= len(LEVELS):
            raise ValueError(f"layers must lie between 1 and {len(LEVELS)}")
        if not self.weights:
            raise ValueError("weights must be imagenet, random or the path of a safetensors file")


class LossNet:
    """Σ_i d(F_i(p), F_i(y)) over the levels F_i of VGG16, mean over cases with a mask.

    He et al., ACSNet, eq. 10 and 11, after Zhao, Zhang, Lu, "Automatic Polyp Segmentation via Multi-Scale Subtraction
    Network", MICCAI 2021. Also the perceptual loss of Qu et al. 2019, with as many `layers` as it takes. Maps are
    repeated to three channels and normalised as ImageNet's images.

    A missing file of weights is an `InputError` at once; ImageNet's are fetched at the first call, so that a recipe
    can be checked without a network connection.
    """

    options_type = Options
    task = "seg"

    def __init__(self, options: Options, *, setting: LossSetting):
        self.options = options
        self.meaning = setting.lesion_meaning_of(options.map, loss="lossnet")
        self.features: VggFeatures | None = None
        if options.weights not in ("imagenet", "random"):
            check_weights_file(given_path(options.weights), levels=options.layers)

    def __call__(self, output: MultiTaskOutput, batch: Batch) -> Tensor:
        logits = map_logits_of(output, self.options.map, loss="lossnet")
        if logits.ndim != 4:
            raise InputError("the loss lossnet compares images, not volumes", remedy="leave it out")
        features = self._features_on(logits.device)
        found = features(self.meaning.lesion_map(logits))
        with torch.no_grad():
            wanted = features(lesion_truth(batch, size=logits.shape[2:]))
        values = torch.stack([self._distance(f, w) for f, w in zip(found, wanted, strict=True)]).sum(dim=0)
        return mean_over(values, batch.has_mask, batch.mask_weight)

    def _distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Of one level's features, per case."""
        difference = (at_least_float32(found) - at_least_float32(wanted)).flatten(1)
        if self.options.distance == "mse":
            return difference.square().mean(dim=1)
        return torch.linalg.vector_norm(difference, dim=1)

    def _features_on(self, device: torch.device) -> VggFeatures:
        if self.features is None:
            self.features = vgg_features(self.options.weights, levels=self.options.layers)
        if self.features.mean.device != device:
            with torch.inference_mode(False):  # validation may call first, and training differentiates through it
                self.features = self.features.to(device)
        return self.features
