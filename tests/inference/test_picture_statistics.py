from __future__ import annotations

import math

import numpy as np
import pytest

from bustle.inference.picture_statistics import COUNT, picture_statistics


def of(image: np.ndarray) -> dict[str, float]:
    names = ("colour", "mean", "deviation", "black", "white", "across", "fine", "lag_across", "lag_down", "fading")
    found = picture_statistics(image)
    assert len(found) == COUNT
    return dict(zip(names, found, strict=False))


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 33, 500), (1, 1, 1), (3, 2, 700), (1, 900, 40)])
@pytest.mark.parametrize("value", [0, 90, 255, None])
def test_every_picture_has_finite_statistics(shape: tuple[int, ...], value: int | None):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if value is not None:
        image[:] = value
    assert all(math.isfinite(number) for number in picture_statistics(image))


def test_grey_in_three_channels_is_grey():
    grey = np.random.default_rng(0).integers(0, 256, (1, 60, 80), dtype=np.uint8)
    assert picture_statistics(np.repeat(grey, 3, axis=0)) == pytest.approx(picture_statistics(grey), abs=1e-4)


def test_by_hand():
    layers = np.repeat(np.arange(100, dtype=np.uint8)[::-1, None], 80, axis=1)[None]  # brighter on top
    found = of(layers)
    assert found["mean"] == pytest.approx(math.log1p(49.5))
    assert found["black"] == pytest.approx(0.12)
    assert found["across"] == pytest.approx(math.log(0.1 / 1.1))  # changes along depth only
    assert found["fading"] == pytest.approx((83 - 16) / layers.std(), abs=0.01)
    red = np.zeros((3, 50, 50), np.uint8)
    red[0, :, :25] = 255
    assert of(red)["colour"] == pytest.approx(math.log(0.1 + 0.5))


def test_turned_by_a_right_angle_it_is_another_picture():
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 80), dtype=np.uint8).repeat(10, axis=1)
    upright, turned = of(image), of(np.rot90(image, axes=(1, 2)))
    assert upright["across"] == pytest.approx(-turned["across"], abs=1e-3)
    assert upright["lag_across"] == pytest.approx(turned["lag_down"], abs=1e-3)
