from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from bustle.losses.signed_distance import distance_by_rows_and_columns, signed_distance

ROUNDING = 2 * float(np.finfo(np.float32).eps)
"""Of a root in float32, which processors round differently."""


def masks() -> torch.Tensor:
    torch.manual_seed(0)
    lesions = torch.rand(5, 40, 56) > 0.98  # scattered pixels
    lesions[1] = False
    lesions[1, 10:30, 20:50] = True  # one block
    lesions[2] = False
    lesions[2, 0:5, 50:56] = True  # in a corner
    lesions[3] = ~lesions[1]
    return lesions


def test_it_is_the_distance_to_the_nearest_pixel_of_the_other_kind():
    for found, mask in zip(signed_distance(masks()).numpy(), masks().numpy(), strict=True):
        expected = distance_transform_edt(~mask) - distance_transform_edt(mask)
        np.testing.assert_allclose(found, expected, rtol=ROUNDING)


def test_the_transform_for_other_devices_is_the_same():
    for found, mask in zip(distance_by_rows_and_columns(masks()).numpy(), masks().numpy(), strict=True):
        np.testing.assert_allclose(found, distance_transform_edt(~mask), rtol=ROUNDING)


@pytest.mark.parametrize("full", [False, True])
def test_a_mask_without_a_boundary_has_no_distance(full: bool):
    mask = torch.full((2, 32, 32), full)
    mask[0, 3, 4] = not full
    found = signed_distance(mask)
    assert found[0].abs().min() >= 1
    assert torch.equal(found[1], torch.zeros(32, 32))
    assert torch.isfinite(distance_by_rows_and_columns(mask)).all()
