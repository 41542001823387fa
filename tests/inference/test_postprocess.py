from __future__ import annotations

import numpy as np
from tests.rounding import sum_tolerance

from bustle.core.data_section import ImageData
from bustle.core.network import MaskMeaning
from bustle.core.types import Geometry
from bustle.data.prepared.image_grid import ImageGrid
from bustle.inference.postprocess import bounded_lesion_probability, channels_on_original_grid

REGIONS = MaskMeaning(("tumour", "ring", "background"), "softmax", (0,))
PER_CLASS = MaskMeaning(("background", "benign", "malignant"), "softmax", (1, 2))


def test_a_sum_of_channels_stays_a_probability():
    channels = np.array([0, 0.5 + 2**-23, 0.5], np.float32).reshape(3, 1, 1)
    assert PER_CLASS.lesion_probability(channels).item() > 1
    assert bounded_lesion_probability(channels, meaning=PER_CLASS).item() == 1


def test_channels_still_sum_to_one_on_the_original_grid():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 64, 64))
    channels = (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float32)
    for size in ((150, 99), (40, 33)):
        grid = ImageGrid.of(Geometry(size), section=ImageData(size=(64, 64), resize="letterbox"))
        native = channels_on_original_grid(channels, grid=grid)
        assert native.shape == (3, *size)
        assert np.allclose(native.sum(axis=0), 1, rtol=0, atol=sum_tolerance(3 * 9))  # 3 channels of 9 pixels or less
