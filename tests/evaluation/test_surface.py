"""Surface distances against brute force, hand-made shifts, and other spacings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from bustle.evaluation.surface import surface_distances, surface_points


def brute_force(truth, prediction, spacing):
    """All pairwise distances between surfaces that scipy's erosion gives."""

    def points(mask):
        eroded = ndimage.binary_erosion(mask, ndimage.generate_binary_structure(mask.ndim, 1))
        return np.argwhere(mask & ~eroded) * np.asarray(spacing)

    pairs = np.linalg.norm(points(prediction)[:, None] - points(truth)[None], axis=2)
    return pairs.min(axis=1), pairs.min(axis=0)


def blob(shape, seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2.5)
    return noise > np.quantile(noise, 0.8)


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((40, 57), (1.0, 1.0)),
        ((40, 57), (0.3, 0.11)),
        ((14, 17, 12), (1.0, 1.0, 1.0)),
        ((14, 17, 12), (0.5, 0.07, 0.2)),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_equals_brute_force(shape, spacing, seed):
    truth, prediction = blob(shape, seed), blob(shape, seed + 100)
    found = surface_distances(truth, prediction, spacing=spacing)
    to_truth, to_prediction = brute_force(truth, prediction, spacing)
    np.testing.assert_allclose(found.to_truth, to_truth, atol=1e-9)
    np.testing.assert_allclose(found.to_prediction, to_prediction, atol=1e-9)
    assert found.hd95() == pytest.approx(max(np.percentile(to_truth, 95), np.percentile(to_prediction, 95)), abs=1e-9)
    assert found.hd95_pooled() == pytest.approx(np.percentile(np.r_[to_truth, to_prediction], 95), abs=1e-9)
    assert found.asd() == pytest.approx(to_truth.mean(), abs=1e-9)
    assert found.assd() == pytest.approx(np.r_[to_truth, to_prediction].mean(), abs=1e-9)


@pytest.mark.parametrize("shift", [1, 4, 9])
def test_i15_a_shift_by_k_pixels_has_hd95_k_and_spacing_scales_it(shift):
    truth = np.zeros((80, 90), bool)
    truth[20:50, 30:60] = True
    moved = np.roll(truth, shift, axis=1)
    assert surface_distances(truth, moved).hd95() == pytest.approx(shift)
    assert surface_distances(truth, moved, spacing=(0.5, 0.2)).hd95() == pytest.approx(0.2 * shift)


def test_surface_includes_pixels_on_the_image_border():
    whole = np.ones((4, 5), bool)
    assert len(surface_points(whole)) == 4 * 5 - 2 * 3


def test_one_pixel_is_its_own_surface():
    mask = np.zeros((6, 7), bool)
    mask[3, 2] = True
    assert surface_points(mask).tolist() == [[3, 2]]


def test_empty_masks_and_unequal_shapes_are_refused():
    empty, full = np.zeros((5, 5), bool), np.ones((5, 5), bool)
    with pytest.raises(ValueError, match="empty"):
        surface_distances(empty, full)
    with pytest.raises(ValueError, match="shapes"):
        surface_distances(full, np.ones((5, 6), bool))
