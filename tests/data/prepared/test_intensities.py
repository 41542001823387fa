"""Intensities become what a network takes."""

from __future__ import annotations

import numpy as np

from bustle.core.data_section import ImageData
from bustle.data.prepared.intensities import normalise


def test_normalise_repeats_grey_and_scales_each_channel():
    grey = np.array([0, 51, 255], np.uint8).reshape(1, 1, 3)
    three = ImageData(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 2.0))
    expected = [[-1, -0.6, 1], [-1, -0.2, 3], [0, 0.1, 0.5]]
    assert np.allclose(normalise(grey, section=three)[:, 0], expected, atol=1e-6)
    assert normalise(np.stack([grey, grey]), section=three).shape == (2, 3, 1, 3)
    assert normalise(grey, section=three).dtype == np.float32


def test_normalise_turns_colour_into_luma_for_a_grey_network():
    one = ImageData(channels=1, mean=(0.0,), std=(1.0,))
    colour = np.zeros((3, 1, 2), np.uint8)
    colour[0, 0, 0], colour[:, 0, 1] = 255, 100
    assert np.allclose(normalise(colour, section=one), [[[0.299, 100 / 255]]], atol=1e-6)
