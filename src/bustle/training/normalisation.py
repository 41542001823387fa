"""Intensities to network inputs on whatever device they are: `data.prepared.intensities.normalise` for tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from bustle.core.data_section import DataSection
from bustle.data.prepared.intensities import LEAST_DEVIATION, LUMA
from bustle.data.transforms.torch_executor import on_device


class Normalisation:
    """Holds the section's numbers on one device."""

    def __init__(self, section: DataSection, *, device: torch.device):
        self.section = section
        per_channel = (-1, *[1] * len(section.size))
        self.mean = on_device(torch.tensor(section.mean), device).view(per_channel)
        self.std = on_device(torch.tensor(section.std), device).view(per_channel)
        self.luma = on_device(torch.tensor(LUMA), device).view(per_channel)

    def __call__(self, images: Tensor) -> Tensor:
        """Intensities 0..255 `B C *S` to float32 `B channels *S`."""
        values = images.float()
        channels = self.section.channels
        if channels == 1 and values.shape[1] == 3:
            values = (values * self.luma).sum(dim=1, keepdim=True)
        if self.section.normalisation == "z_score":
            everything = tuple(range(1, values.ndim))
            values = values - values.mean(dim=everything, keepdim=True)
            deviation = values.square().mean(dim=everything, keepdim=True).sqrt()
            return (values / deviation.clamp_min(LEAST_DEVIATION)).expand(-1, channels, *[-1] * (values.ndim - 2))
        return values / (255 * self.std) - self.mean / self.std
