"""Axial, coronal and sagittal cuts through a lesion of a volume, with the contours of truth and prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.drawing.outlines import FONT, PREDICTED, TRUTH, as_canvas, draw_outline, tint

PANEL = 340
GAP = 6
LEAST_FIELD_MM = 40.0
INK = (255, 255, 255)
BARS_MM = (1, 2, 5, 10, 20, 50, 100)


class Plane(NamedTuple):
    """A cut across axis `across` of a volume `D H W`; its picture's rows follow `down`, its columns `right`."""

    name: str
    across: int
    down: int
    right: int


PLANES = (Plane("axial", 0, 1, 2), Plane("coronal", 1, 0, 2), Plane("sagittal", 2, 1, 0))
"""Axes of an ABUS volume are (slice, depth, lateral): an axial cut is a slice as the probe sees it, a coronal one is
parallel to the skin; depth points down in axial and sagittal cuts."""


def draw_cuts(
    image: NDArray[np.uint8],
    *,
    truth: NDArray[np.bool_] | None,
    prediction: NDArray[np.bool_] | None,
    spacing: Sequence[float],
    field_mm: float | None = None,
    panel: int = PANEL,
    tints: Sequence[tuple[NDArray[np.uint8], tuple[int, int, int]]] = (),
) -> NDArray[np.uint8]:
    """Three cuts side by side, RGB `3 panel W`, all to the same scale, so that a millimetre is as long in each.

    `image` is `D H W`, the masks bool of the same size or None, `spacing` in mm. The cuts go through the middle of
    the largest true lesion, else of the largest predicted one, else of the volume. Every cut shows a square of
    `field_mm` about that point, black outside of the volume; by default 2.5 times the lesion's longest side, at
    least 40 mm, and without any lesion the whole volume. The true contour is blue, the predicted one amber. `tints`
    are colours, and how strong each is in every voxel, 0..255 in `D H W`.
    """
    step = np.asarray(spacing, np.float64)
    lesion = _largest(truth)
    lesion = _largest(prediction) if lesion is None else lesion
    if lesion is None:
        centre, longest = (np.array(image.shape) - 1) / 2, float((image.shape * step).max())
        field = longest if field_mm is None else field_mm
    else:
        centre = _middle(lesion)
        longest = float(((lesion.max(axis=0) - lesion.min(axis=0) + 1) * step).max())
        field = max(2.5 * longest, LEAST_FIELD_MM) if field_mm is None else field_mm
    at = np.round(centre).astype(int)
    scale = panel / field
    panels = []
    for plane in PLANES:
        to_panel = _to_panel(plane, at=at, step=step, scale=scale, panel=panel)
        canvas = as_canvas(_sampled(image, plane, at=at, to_panel=to_panel, panel=panel)[None])
        for strength, tinted in tints:
            tint(canvas, _sampled(strength, plane, at=at, to_panel=to_panel, panel=panel), colour=tinted)
        for mask, colour in ((truth, TRUTH), (prediction, PREDICTED)):
            if mask is not None:
                inside = _sampled(mask.view(np.uint8), plane, at=at, to_panel=to_panel, panel=panel, top=255) >= 128
                draw_outline(canvas, inside, colour=colour)
        position = f"{plane.name} {at[plane.across] + 1}/{image.shape[plane.across]}"
        _label(canvas, position)
        _scale_bar(canvas, scale=scale)
        panels += [canvas, np.full((panel, GAP, 3), 255, np.uint8)]
    return np.ascontiguousarray(np.hstack(panels[:-1]).transpose(2, 0, 1))


def _largest(mask: NDArray[np.bool_] | None) -> NDArray[np.int64] | None:
    """The voxels of the largest connected part (neighbours share at least a corner), N x 3; None if there is none."""
    if mask is None or not mask.any():
        return None
    from scipy.ndimage import find_objects, label

    box = find_objects(mask.view(np.uint8))[0]  # the lesions are small in their volumes
    parts = np.empty(mask[box].shape, np.int32)
    label(mask[box], structure=np.ones((3, 3, 3)), output=parts)
    sizes = np.bincount(parts.ravel())[1:]
    return np.argwhere(parts == int(sizes.argmax()) + 1) + [part.start for part in box]


def _middle(voxels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The voxel nearest to the mean of all, so that the cuts meet inside of a bent lesion too."""
    offsets = voxels - voxels.mean(axis=0)
    return voxels[int((offsets**2).sum(axis=1).argmin())].astype(np.float64)


def _to_panel(
    plane: Plane, *, at: NDArray[np.int64], step: NDArray[np.float64], scale: float, panel: int
) -> NDArray[np.float64]:
    """The affine map from (column, row) of the cut's voxels to the panel's pixels, `2 x 3`."""
    per_column, per_row = step[plane.right] * scale, step[plane.down] * scale
    middle = (panel - 1) / 2
    return np.array(
        [
            [per_column, 0, middle - per_column * at[plane.right]],
            [0, per_row, middle - per_row * at[plane.down]],
        ]
    )


def _sampled(
    volume: NDArray[np.uint8],
    plane: Plane,
    *,
    at: NDArray[np.int64],
    to_panel: NDArray[np.float64],
    panel: int,
    top: int = 1,
) -> NDArray[np.uint8]:
    """The cut on the panel's grid, bilinear, zero outside of the volume; `top` multiplies a mask's ones."""
    cut = np.take(volume, at[plane.across], axis=plane.across)
    if plane.down > plane.right:  # the remaining axes keep their order
        cut = cut.T
    cut = np.ascontiguousarray(cut) * np.uint8(top)
    shrinks = to_panel[0, 0] < 1 or to_panel[1, 1] < 1
    if shrinks:  # average what falls into one pixel, as bilinear sampling alone would skip voxels
        size = tuple(
            max(1, round(edge * min(1.0, factor)))
            for edge, factor in zip(cut.shape[::-1], (to_panel[0, 0], to_panel[1, 1]), strict=True)
        )
        ratios = [edge / new for edge, new in zip(cut.shape[::-1], size, strict=True)]
        cut = np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.uint8)
        to_panel = to_panel @ np.array(
            [[ratios[0], 0, (ratios[0] - 1) / 2], [0, ratios[1], (ratios[1] - 1) / 2], [0, 0, 1]]
        )
    return np.asarray(cv2.warpAffine(cut, to_panel, (panel, panel), flags=cv2.INTER_LINEAR), np.uint8)


def _label(canvas: NDArray[np.uint8], text: str) -> None:
    scale = 0.45 * canvas.shape[0] / PANEL
    (width, height), baseline = cv2.getTextSize(text, FONT, scale, 1)
    corner = canvas[: height + 2 * baseline, : width + 2 * baseline]
    corner[...] = corner // 4
    cv2.putText(canvas, text, (baseline, height + baseline), FONT, scale, INK, 1, cv2.LINE_AA)


def _scale_bar(canvas: NDArray[np.uint8], *, scale: float) -> None:
    """The longest of the round lengths that takes at most a third of the panel, in the lower left corner."""
    panel = canvas.shape[0]
    length = max([mm for mm in BARS_MM if mm * scale <= panel / 3], default=BARS_MM[0])
    text, text_scale = f"{length} mm", 0.45 * panel / PANEL
    (width, height), baseline = cv2.getTextSize(text, FONT, text_scale, 1)
    bar, margin = round(length * scale), baseline + 2
    corner = canvas[panel - height - 3 * margin :, : max(bar, width) + 2 * margin]
    corner[...] = corner // 4
    cv2.rectangle(canvas, (margin, panel - margin - 2), (margin + bar - 1, panel - margin), INK, -1)
    cv2.putText(canvas, text, (margin, panel - 2 * margin - 2), FONT, text_scale, INK, 1, cv2.LINE_AA)
