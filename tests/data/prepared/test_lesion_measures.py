from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from skimage.measure import regionprops

from bustle.core.types import Box
from bustle.data.prepared.lesion_measures import measure_lesions


def measure(mask: np.ndarray, spacing: tuple[float, ...] | None = None):
    return measure_lesions(mask, np.where(mask, 0.75, 0.1).astype(np.float32), spacing=spacing)


def test_no_lesion():
    assert measure(np.zeros((20, 30), bool)) == ()


def test_a_row_of_pixels_in_px_and_mm():
    mask = np.zeros((20, 30), bool)
    mask[7, 5:15] = True
    (lesion,) = measure(mask)
    assert (lesion.area, lesion.unit, lesion.box) == (10.0, "px", Box(7, 5, 8, 15))
    assert lesion.long_axis == pytest.approx(10)
    assert lesion.short_axis == pytest.approx(1)
    assert lesion.probability == pytest.approx(0.75)
    assert set(lesion.contour) == {(7.0, 5.0), (7.0, 14.0)}
    (lesion,) = measure(mask, spacing=(0.5, 0.2))
    assert lesion.unit == "mm"
    assert lesion.area == pytest.approx(10 * 0.5 * 0.2)
    assert lesion.long_axis == pytest.approx(10 * 0.2)
    assert lesion.short_axis == pytest.approx(0.5)


def test_a_single_pixel():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    (lesion,) = measure(mask)
    assert (lesion.area, lesion.long_axis) == (1.0, pytest.approx(1))


def test_an_ellipse_with_anisotropic_pixels_that_is_a_disc_in_mm():
    mask = np.zeros((200, 400), np.uint8)
    cv2.ellipse(mask, (200, 100), (120, 40), 0, 0, 360, 1, -1)  # 120 px x 0.1 mm, 40 px x 0.3 mm
    (lesion,) = measure(mask.astype(bool), spacing=(0.3, 0.1))
    assert lesion.long_axis == pytest.approx(24, abs=0.6)  # a pixel is 0.3 mm high
    assert lesion.short_axis == pytest.approx(24, abs=0.6)  # a pixel is 0.3 mm high
    assert lesion.area == pytest.approx(np.pi * 12**2, rel=0.02)


def test_against_scikit_image_on_irregular_shapes():
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.normal(size=(160, 200)), (0, 0), 6)
    mask = noise > np.quantile(noise, 0.8)
    lesions = measure(mask)
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    reference = sorted(regionprops(parts), key=lambda region: (-region.area, region.bbox))
    assert len(lesions) == len(reference) == count - 1 > 3
    for lesion, region in zip(lesions, reference, strict=True):
        assert lesion.area == region.area
        assert tuple(lesion.box) == region.bbox
        edges = (region.coords[:, None] + np.array([(-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)])).reshape(-1, 2)
        assert lesion.long_axis == pytest.approx(pdist(edges).max(), abs=1e-4)
        assert lesion.long_axis == pytest.approx(region.feret_diameter_max, abs=0.5)  # of the filled-up convex hull
        assert lesion.short_axis <= lesion.long_axis + 1e-6


def test_lesions_are_the_8_connected_parts_the_largest_first():
    mask = np.zeros((40, 40), bool)
    mask[2, 2] = mask[3, 3] = True
    mask[10:20, 10:20] = True
    mask[13:16, 13:16] = False  # a hole belongs to no lesion
    first, second = measure(mask)
    assert (first.area, first.box) == (91.0, Box(10, 10, 20, 20))
    assert (second.area, second.box) == (2.0, Box(2, 2, 4, 4))


def test_the_contour_redraws_the_lesion():
    mask = np.zeros((120, 150), np.uint8)
    cv2.ellipse(mask, (70, 60), (40, 25), 30, 0, 360, 1, -1)
    (lesion,) = measure(mask.astype(bool))
    polygon = np.array([(round(x), round(y)) for y, x in lesion.contour])
    assert np.array_equal(cv2.fillPoly(np.zeros_like(mask), [polygon], 1), mask)
