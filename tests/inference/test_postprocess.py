from __future__ import annotations

import numpy as np

from bustle.core.data_section import ImageData
from bustle.core.types import MaskMeaning
from bustle.data.prepared.preprocess import network_geometry
from bustle.inference.postprocess import channels_on_original_grid, lesion_mask, lesion_probability

REGIONS = MaskMeaning(("tumour", "ring", "background"), "softmax", (0,))
PER_CLASS = MaskMeaning(("background", "benign", "malignant"), "softmax", (1, 2))
BINARY = MaskMeaning(("lesion",), "sigmoid", (0,))


def pixels(*columns: tuple[float, ...]) -> np.ndarray:
    """Channel probabilities `K 1 N`, one tuple of K per pixel."""
    return np.array(columns, np.float32).T[:, None, :]


def test_three_regions_only_the_tumour_is_lesion():
    channels = pixels((0.40, 0.35, 0.25), (0.45, 0.50, 0.05), (0.1, 0.2, 0.7))
    assert lesion_mask(channels, meaning=REGIONS).tolist() == [[True, False, False]]
    assert np.allclose(lesion_probability(channels, meaning=REGIONS), [[0.40, 0.45, 0.1]])


def test_one_map_per_class_adds_up():
    channels = pixels((0.40, 0.30, 0.30), (0.20, 0.30, 0.50), (0.34, 0.33, 0.33))
    assert lesion_mask(channels, meaning=PER_CLASS).tolist() == [[False, True, False]]
    assert np.allclose(lesion_probability(channels, meaning=PER_CLASS), [[0.6, 0.8, 0.66]])


def test_sigmoid_is_cut_at_one_half():
    channels = pixels((0.49,), (0.5,), (0.51,))
    assert lesion_mask(channels, meaning=BINARY).tolist() == [[False, False, True]]


def test_channels_still_sum_to_one_on_the_original_grid():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 64, 64))
    channels = (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float32)
    for size in ((150, 99), (40, 33)):
        geometry = network_geometry(size, section=ImageData(size=(64, 64), resize="letterbox"))
        native = channels_on_original_grid(channels, geometry=geometry)
        assert native.shape == (3, *size)
        assert np.allclose(native.sum(axis=0), 1, atol=1e-5)


def test_a_part_that_the_network_did_not_see_is_no_lesion():
    from dataclasses import replace

    geometry = network_geometry((64, 64), section=ImageData(size=(64, 64)))
    cropped = replace(geometry, original_size=(64, 100), crop_start=(0, 10), crop_size=(64, 64))
    tumour_everywhere = np.stack([np.full((64, 64), value, np.float32) for value in (0.8, 0.1, 0.1)])
    native = channels_on_original_grid(tumour_everywhere, geometry=cropped)
    mask = lesion_mask(native, meaning=REGIONS)
    assert mask[:, 10:74].all()
    assert not mask[:, :10].any()
    assert not mask[:, 74:].any()
