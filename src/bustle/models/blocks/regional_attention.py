"""Regional attention: class features pooled over predicted regions (RMTL-Net, eq. 1 to 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RegionFusion(nn.Sequential):
    """Maps region vectors `B R C` to one vector `B C` (eq. 5 and 6).

    A 1x1 convolution over the region axis and a batch norm: six parameters for three regions, as the published
    counts demand.
    """

    def __init__(self, regions: int):
        super().__init__(nn.Conv2d(regions, 1, kernel_size=1), nn.BatchNorm2d(1))

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (the name that Sequential gives it)
        return super().forward(input.unsqueeze(2)).flatten(1)

    @property
    def region_weights(self) -> Tensor:
        """What each region's vector is multiplied by in evaluation, `R`; a constant is added."""
        convolution, norm = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        return convolution.weight.flatten() * norm.weight / (norm.running_var + norm.eps).sqrt()


class RegionalAttention(nn.Module):
    """Maps features `B C h w` and region logits `B K H W` to one vector `B C`.

    `channels` are the region channels of the logits that take part. Several regions are fused, one region needs
    no fusion.
    """

    channels: Tensor

    def __init__(
        self,
        channels: Sequence[int],
        *,
        threshold: float,
        detach_probability: bool,
        resize: Literal["nearest", "area"],
        pool: Literal["global", "masked"],
    ):
        super().__init__()
        # On the network's device: indexing with a list would copy it there, and wait for it, in every pass.
        self.register_buffer("channels", torch.tensor(list(channels)), persistent=False)
        self.threshold = threshold
        self.detach_probability = detach_probability
        self.resize: Literal["nearest", "area"] = resize
        self.pool: Literal["global", "masked"] = pool
        self.fusion = RegionFusion(len(channels)) if len(channels) > 1 else None

    def forward(self, features: Tensor, region_logits: Tensor) -> Tensor:
        probabilities = self._probabilities(region_logits)
        if self.detach_probability:
            probabilities = probabilities.detach()
        vectors = region_vectors(
            features, probabilities, threshold=self.threshold, resize=self.resize, pool=self.pool
        )
        if self.fusion is None:
            return vectors.squeeze(1)
        return self.fusion(vectors)

    def cells(self, features: Tensor, region_logits: Tensor) -> Tensor:
        """What each cell adds to the vector in evaluation, `B C h w`, but for a constant."""
        kept = self.maps(features, region_logits)
        if self.pool == "global":
            shares = kept / (kept.shape[-2] * kept.shape[-1])
        else:
            shares = kept / kept.sum(dim=(-2, -1), keepdim=True).clamp_min(1e-6)
        if self.fusion is not None:
            shares = shares * self.fusion.region_weights[:, None, None]
        return features * shares.sum(dim=1, keepdim=True).to(features.dtype)

    def maps(self, features: Tensor, region_logits: Tensor) -> Tensor:
        """What the features of each region are multiplied by, `B R h w` in 0..1 (A in eq. 1 and 2)."""
        size = features.shape[-2:]
        probabilities = self._probabilities(region_logits)
        return kept_probabilities(probabilities, size=size, threshold=self.threshold, resize=self.resize)

    def _probabilities(self, region_logits: Tensor) -> Tensor:
        return region_logits.softmax(dim=1)[:, self.channels]


def region_vectors(
    features: Tensor,
    probabilities: Tensor,
    *,
    threshold: float,
    resize: Literal["nearest", "area"] = "nearest",
    pool: Literal["global", "masked"] = "global",
) -> Tensor:
    """The region vectors G, `B R C`, of features `B C h w` and probabilities `B R H W` (eq. 1 to 3).

    `pool` "global" is the mean over all cells, as published; "masked" the mean over the region, weighted by its
    probability, and zero where the region is empty.
    """
    kept = kept_probabilities(probabilities, size=features.shape[-2:], threshold=threshold, resize=resize)
    weighted = torch.einsum("bchw,brhw->brc", features, kept.to(features.dtype))
    if pool == "global":
        return weighted / (features.shape[-2] * features.shape[-1])
    mass = kept.sum(dim=(-2, -1)).unsqueeze(-1)
    return weighted / mass.clamp_min(1e-6)


def kept_probabilities(
    probabilities: Tensor, *, size: Sequence[int], threshold: float, resize: Literal["nearest", "area"]
) -> Tensor:
    """Probabilities `B R H W` at `size` where they exceed `threshold`, elsewhere 0, `B R h w` (eq. 1 and 2).

    The gradient passes through what is kept.
    """
    coarse = F.interpolate(probabilities, size=tuple(size), mode=resize)
    return coarse * (coarse > threshold).detach()
