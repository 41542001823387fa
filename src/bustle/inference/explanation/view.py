"""What a network saw of a case when it classified it: the whole image, or one patch of a volume."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.core.data_section import ImageData, PatchData
from bustle.core.types import ImageMapping, Prediction, VolumeSegmentation
from bustle.data.prepared.grid import Grid, mapped_grid
from bustle.data.prepared.intensities import normalise
from bustle.data.prepared.volume_grid import VolumeGrid
from bustle.inference.sliding_window import Window, cut, overlap_of


@dataclass(frozen=True)
class View:
    """The `pixels` uint8 `C *s`, and the way back from their grid to the case's own.

    `window` is where they lie in a volume on the network's grid, None for an image.
    """

    pixels: NDArray[np.uint8]
    data: ImageData | PatchData
    grid: Grid
    window: Window | None = None

    @classmethod
    def of(cls, prediction: Prediction, image: NDArray[np.uint8], *, data: ImageData | PatchData) -> View:
        """Of the image or volume `C *S` that the prediction was made of."""
        grid = mapped_grid(prediction.geometry, prediction.mapping)
        whole = grid.prepare(image)
        if isinstance(prediction.mapping, ImageMapping):
            return cls(whole, data, grid)
        from bustle.inference.volume_search import window_about  # needs SciPy, which images do not

        assert isinstance(grid, VolumeGrid)
        window = window_about(grid.place_to_network(_place(prediction)), size=data.size)
        return cls(cut(whole, window), data, grid, window)

    @property
    def size(self) -> tuple[int, ...]:
        return self.pixels.shape[1:]

    @property
    def batch(self) -> NDArray[np.float32]:
        """What the network is shown, `1 C *s`."""
        return normalise(self.pixels, section=self.data)[None]

    def to_original(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """A map of the view on any grid of its own, coarse or fine, on the case's grid `*S`; 0 outside of a patch."""
        fine = resized(values, self.size)
        if self.window is not None:
            whole = np.zeros(self.grid.mapping.network_size, np.float32)
            inner, outer = overlap_of(self.window, whole.shape)
            whole[outer] = fine[inner]
            fine = whole
        return self.grid.map_to_original(fine)


def resized(values: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """A map brought to `size` linearly; the outer edges of both grids coincide."""
    if values.shape == size:
        return values
    if values.ndim == 2:
        return np.asarray(cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    from scipy.ndimage import zoom

    factors = [new / old for new, old in zip(size, values.shape, strict=True)]
    return np.asarray(zoom(values, factors, order=1, mode="nearest", grid_mode=True), np.float32)


def _place(prediction: Prediction) -> tuple[float, ...]:
    """Where a volume's classes come from: the place that was told, or the surest candidate."""
    if prediction.centre is not None:
        return prediction.centre
    assert isinstance(prediction.segmentation, VolumeSegmentation)
    return prediction.segmentation.candidates[0].centre
