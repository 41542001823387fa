"""The shape of a lesion in an image, from the pixels inside its outline."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.prepared.lesion_measures import MIDPOINTS, diameters
from bustle.inference.descriptors.crofton import boundary_measure, convexity
from bustle.inference.descriptors.moments import ellipse_of
from bustle.inference.descriptors.morphology import border_of, without_holes
from bustle.inference.descriptors.outline import contour_of, outline_form
from bustle.inference.descriptors.results import ImageShape


def image_shape(lesion: NDArray[np.bool_], *, step: tuple[float, ...]) -> ImageShape:
    """Describe the pixels `h w` of one lesion, cut to its box; `step` is the size of a pixel (y, x).

    Holes count for the area and the moments, not for what describes the outline.
    """
    scale = np.asarray(step, dtype=float)
    filled = without_holes(lesion)
    border: NDArray[np.intp] = np.argwhere(border_of(filled))
    longest, perpendicular = diameters(border.astype(float) * scale, midpoints=MIDPOINTS * scale)
    depth, width = (float(size) for size in np.array(lesion.shape) * scale)
    area = int(lesion.sum()) * float(scale.prod())
    outlined = int(filled.sum()) * float(scale.prod())
    equivalent = math.sqrt(4 * area / math.pi)
    perimeter = boundary_measure(filled, step=step)
    ellipse = ellipse_of(lesion, step=step, depth_axis=0)
    contour = contour_of(filled) * scale
    form = outline_form(contour, equivalent_diameter=equivalent)
    return ImageShape(
        longest_diameter=longest,
        perpendicular_diameter=perpendicular,
        depth=depth,
        width=width,
        depth_width_ratio=depth / width,
        area=area,
        equivalent_diameter=equivalent,
        orientation=ellipse.elevation,
        axis_ratio=ellipse.axes[-1] / ellipse.axes[0],
        circularity=min(1.0, 4 * math.pi * outlined / perimeter**2),
        solidity=int(filled.sum()) / pixels_in_hull(border),
        convexity=convexity(filled, step=step),
        ellipse_deviation=ellipse.radial_spread(contour) / equivalent,
        margin_roughness=form.margin_roughness,
        lobes=form.lobes,
        deepest_indentation=form.deepest_indentation,
    )


def pixels_in_hull(pixels: NDArray[np.integer]) -> int:
    """How many pixel centres the convex hull of pixels `N 2` holds: area + half the edge points + 1 (Pick 1899)."""
    hull = cv2.convexHull(pixels.astype(np.int32)).reshape(-1, 2).astype(np.int64)
    following = np.roll(hull, -1, axis=0)
    doubled_area = abs(int((hull[:, 0] * following[:, 1] - hull[:, 1] * following[:, 0]).sum()))
    on_edges = int(np.gcd(*np.abs(following - hull).T).sum())
    return (doubled_area + on_edges) // 2 + 1
