"""The surfaces of a volume's true and predicted lesions, rendered in three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import PREDICTED, TRUTH

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D

SIZE = (340, 420)
DPI = 100
LONGEST_SIDE = 56
"""The masks are averaged to at most so many blocks along an axis: what a picture of this size can show."""
FACES = (("truth", TRUTH, 0.35), ("prediction", PREDICTED, 0.6))


def draw_surface(
    *,
    truth: NDArray[np.bool_] | None,
    prediction: NDArray[np.bool_] | None,
    spacing: Sequence[float],
    size: tuple[int, int] = SIZE,
) -> NDArray[np.uint8] | None:
    """Both surfaces (marching cubes: Lorensen & Cline, SIGGRAPH 1987) in one picture, RGB `3 H W` of `size`.

    The masks are bool `D H W` = (slice, depth, lateral) or None, `spacing` in mm; the axes are in mm from the
    volume's first voxel, all to the same scale, depth points down. The truth is blue, the prediction amber, both
    see-through. None where there is nothing to draw.
    """
    masks = [mask for mask in (truth, prediction) if mask is not None and mask.any()]
    if not masks:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from mpl_toolkits.mplot3d import Axes3D
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    boxes = [_box(mask) for mask in masks]
    low = np.min([first for first, _ in boxes], axis=0)
    high = np.max([last for _, last in boxes], axis=0)
    window = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    step = np.asarray(spacing, np.float64)
    figure = Figure(figsize=(size[1] / DPI, size[0] / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.02, 0.96, 0.96), projection="3d")
    assert isinstance(axes, Axes3D)
    drawn = []
    for (name, colour, alpha), mask in zip(FACES, (truth, prediction), strict=True):
        if mask is None or not mask.any():
            continue
        corners, triangles = _surface(mask[window], spacing=step)
        corners = (corners + low * step)[:, [2, 0, 1]]  # lateral to the right, slices to the back, depth upright
        red, green, blue = (value / 255 for value in colour)
        shade = (red, green, blue)
        axes.add_collection3d(
            Poly3DCollection(corners[triangles], facecolors=shade, shade=True, alpha=alpha, linewidths=0)
        )
        drawn.append(Patch(color=shade, alpha=alpha, label=name))
    _label(axes, low=low * step, high=high * step)
    axes.legend(handles=drawn, loc="upper left", fontsize=8, frameon=False)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3].transpose(2, 0, 1))


def _label(axes: Axes3D, *, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
    """Look at the box from `low` to `high` (slice, depth, lateral; in mm) from above the probe, all to one scale."""
    from matplotlib.ticker import MaxNLocator

    margin = 0.08 * float((high - low).max())
    edges = np.stack([low - margin, high + margin], axis=1)[[2, 0, 1]]
    axes.set(xlim=edges[0], ylim=edges[1], zlim=edges[2][::-1])
    axes.set_box_aspect(edges[:, 1] - edges[:, 0])
    for axis, name in ((axes.xaxis, "lateral"), (axes.yaxis, "slice"), (axes.zaxis, "depth")):
        axis.set_label_text(f"{name}, mm", fontsize=8)
        axis.set_tick_params(labelsize=7, pad=0)
        axis.set_major_locator(MaxNLocator(nbins=4))
    axes.view_init(elev=22, azim=-60)


def _box(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First voxel and the one after the last, along each axis."""
    occupied = [
        np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        for axis in range(mask.ndim)
    ]
    return np.array([part[0] for part in occupied]), np.array([part[-1] + 1 for part in occupied])


def _surface(
    mask: NDArray[np.bool_], *, spacing: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners N x 3 in mm from the mask's first voxel centre, and triangles of them, M x 3."""
    from skimage.measure import marching_cubes

    block = np.array([-(-edge // LONGEST_SIDE) for edge in mask.shape])
    share = np.pad(_block_means(mask, block), 1)
    level = min(0.5, float(share.max()) / 2)  # a lesion thinner than half a block is drawn all the same
    corners, triangles, _, _ = marching_cubes(share, level=level)
    middle = (block - 1) / 2  # from a block's first voxel to its centre
    return ((corners - 1) * block + middle) * spacing, triangles


def _block_means(mask: NDArray[np.bool_], block: NDArray[np.int64]) -> NDArray[np.float32]:
    """The share of each block of voxels that belongs to the mask; what lies outside of the array does not."""
    missing = [-edge % step for edge, step in zip(mask.shape, block, strict=True)]
    padded = np.pad(mask, [(0, count) for count in missing])
    counts = [part for edge, step in zip(padded.shape, block, strict=True) for part in (edge // step, step)]
    return padded.reshape(counts).mean(axis=(1, 3, 5), dtype=np.float32)
