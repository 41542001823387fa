"""The pseudo ground truth of regions (RMTL-Net, section II)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from bustle.losses import region_map as module
from bustle.losses.region_map import BACKGROUND, PERITUMORAL, TUMOUR, region_map


def random_lesions(seed: int, shape: tuple[int, int, int] = (4, 90, 110)) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=shape)
    lesions = np.stack([distance_transform_edt(case < 3.2) < rng.integers(1, 9) for case in noise])
    lesions[0] = False
    return torch.from_numpy(lesions)


@pytest.mark.parametrize("width", [0, 1, 7, 32])
def test_the_ring_is_everything_within_the_distance(width: int):
    lesions = random_lesions(width)
    regions = region_map(lesions, ring_width=width)
    for lesion, found in zip(lesions.numpy(), regions.numpy(), strict=True):
        distance = distance_transform_edt(~lesion) if lesion.any() else np.full(lesion.shape, np.inf)
        expected = np.where(lesion, TUMOUR, np.where(distance <= width, PERITUMORAL, BACKGROUND))
        assert np.array_equal(found, expected)
    assert (regions[0] == BACKGROUND).all()  # no lesion
    assert (regions == PERITUMORAL).any() == (width > 0)


def test_the_distance_is_euclidean_and_inclusive():
    lesion = torch.zeros(1, 101, 101, dtype=torch.bool)
    lesion[0, 50, 50] = True
    regions = region_map(lesion, ring_width=5)[0]
    assert regions[50, 55] == PERITUMORAL
    assert regions[53, 54] == PERITUMORAL  # 3, 4, 5
    assert regions[54, 54] == BACKGROUND  # √32 > 5
    assert regions[50, 56] == BACKGROUND


@pytest.mark.parametrize("width", [0, 1, 5.5, 32])
def test_the_disc_dilation_of_other_devices_is_equal(width: float):
    lesions = random_lesions(5)
    lesions[1, 0, 0] = lesions[1, -1, -1] = True  # nothing may wrap around the border
    assert torch.equal(module._near_by_disc(lesions, width), module._near_by_distance(lesions, width))
    full = torch.ones(1, 64, 64, dtype=torch.bool)
    assert module._near_by_disc(full, width).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same_regions():
    lesions = random_lesions(6)
    assert torch.equal(region_map(lesions.cuda(), ring_width=32).cpu(), region_map(lesions, ring_width=32))
