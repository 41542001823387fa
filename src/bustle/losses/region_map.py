"""The pseudo ground truth of regions: tumour, a ring around it, and the rest (RMTL-Net, section II-A2)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

TUMOUR, PERITUMORAL, BACKGROUND = 0, 1, 2


def region_map(lesion: Tensor, *, ring_width: float) -> Tensor:
    """Map a lesion mask, bool `B H W`, to int64 `B H W` of TUMOUR, PERITUMORAL and BACKGROUND.

    The ring holds what lies within `ring_width` pixels (Euclidean, inclusive) of the lesion; without a lesion all
    is background. On CPU by an exact distance transform; elsewhere by the equal dilation with a disc.
    """
    near = _near_by_distance(lesion, ring_width) if lesion.device.type == "cpu" else _near_by_disc(lesion, ring_width)
    regions = torch.full(lesion.shape, BACKGROUND, dtype=torch.int64, device=lesion.device)
    return regions.masked_fill_(near, PERITUMORAL).masked_fill_(lesion, TUMOUR)


def _near_by_distance(lesion: Tensor, width: float) -> Tensor:
    near = np.zeros(lesion.shape, dtype=bool)
    for case, mask in enumerate(lesion.numpy()):
        if mask.any():
            distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            near[case] = distance <= width
    return torch.from_numpy(near)


def _near_by_disc(lesion: Tensor, width: float) -> Tensor:
    """Dilation by a disc, as a count of lesion pixels under it, convolved in the frequency domain."""
    radius = int(width)
    offset = torch.arange(-radius, radius + 1, device=lesion.device)
    disc = (offset[:, None] ** 2 + offset[None, :] ** 2 <= width**2).float()
    height, breadth = lesion.shape[-2:]
    padded = (height + 2 * radius, breadth + 2 * radius)  # room for the disc, so that nothing wraps around
    spectrum = torch.fft.rfft2(lesion.float(), s=padded) * torch.fft.rfft2(disc, s=padded)
    count = torch.fft.irfft2(spectrum, s=padded)
    return count[..., radius : radius + height, radius : radius + breadth] > 0.5
