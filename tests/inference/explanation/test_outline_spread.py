from __future__ import annotations

import numpy as np

from bustle.inference.explanation.outline_spread import outline_spread


def blob(*size: int) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in size], indexing="ij")
    return (255 * np.exp(-4 * sum(axis**2 for axis in axes)))[None].astype(np.uint8)


def test_a_map_that_moves_with_the_image_does_not_spread():
    """A smooth image, because one that is shrunk and enlarged again loses its edges."""
    for size in ((64, 80), (16, 20, 24)):
        found = outline_spread(blob(*size), lesion_map=lambda pixels: pixels[0].astype(np.float32) / 255)
        assert found.shape == size
        assert found.max() < 0.03


def test_what_stays_in_its_place_whatever_is_shown_spreads():
    def always_left(pixels: np.ndarray) -> np.ndarray:
        found = np.zeros(pixels.shape[1:], np.float32)
        found[..., : found.shape[-1] // 4] = 1
        return found

    for size, mirrored in (((64, 80), 2), ((16, 20, 24), 2)):
        found = outline_spread(blob(*size), lesion_map=always_left)
        assert np.allclose(found[..., 0], 1 / mirrored, atol=0.05), "in every other view it is on the other side"
        assert found[..., size[-1] // 2].max() == 0


def test_depth_is_never_turned_round():
    """Ultrasound looks different from below: shadows fall down."""

    def checked(pixels: np.ndarray) -> np.ndarray:
        above, below = np.split(pixels[0].astype(np.float64), 2, axis=pixels.ndim - 3)
        assert above.sum() > below.sum()
        return np.zeros(pixels.shape[1:], np.float32)

    for size in ((64, 80), (16, 20, 24)):
        pixels = blob(*size)
        pixels[..., size[-2] // 2 :, :] //= 2
        outline_spread(pixels, lesion_map=checked)
