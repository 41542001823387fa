"""What is computed by OpenCV in images against SciPy, which computes it in volumes."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from scipy import ndimage

from bustle.inference.descriptors.morphology import border_of, distance_to, smoothed, without_holes

RANDOM = np.random.default_rng(0)
BLOBS = ndimage.gaussian_filter(RANDOM.normal(size=(90, 140)), 3) > 0.02


@pytest.mark.parametrize("step", [(1.0, 1.0), (0.07, 0.07), (0.07, 0.1)])
def test_distances_of_pixels_of_any_size(step: tuple[float, float]):
    expected = ndimage.distance_transform_edt(~BLOBS, sampling=step)
    assert np.allclose(distance_to(BLOBS, step=step), expected, rtol=1e-13, atol=0)


def test_distances_along_a_line():
    line = BLOBS[40]
    assert np.allclose(distance_to(line, step=(0.3,)), ndimage.distance_transform_edt(~line, sampling=0.3))


@pytest.mark.parametrize("size", [(40, 60), (5, 9), (2, 3)])
def test_smoothing(size: tuple[int, int]):
    values = RANDOM.normal(size=size) * 50
    assert np.allclose(smoothed(values), ndimage.gaussian_filter(values, 1.0, mode="nearest"), rtol=0, atol=1e-11)


def test_holes_and_borders():
    assert (without_holes(BLOBS) != BLOBS).any()
    assert np.array_equal(without_holes(BLOBS), ndimage.binary_fill_holes(BLOBS))
    assert np.array_equal(border_of(BLOBS), BLOBS & ~ndimage.binary_erosion(BLOBS, border_value=0))


def test_an_image_is_described_without_scipy(monkeypatch):
    package = "bustle.inference.descriptors"
    for name in [name for name in sys.modules if name.startswith((package, "scipy"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    describe_lesions = importlib.import_module(f"{package}.describe").describe_lesions
    grey = np.full(BLOBS.shape, 90, np.uint8)
    assert describe_lesions(grey, BLOBS, spacing=None, at_most=3)
    with pytest.raises(ModuleNotFoundError):
        describe_lesions(grey[None], BLOBS[None], spacing=None)
