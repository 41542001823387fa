"""Cuts of a volume: the right planes, to scale, with contours where the masks are."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.drawing.outlines import PREDICTED, TRUTH
from bustle.drawing.volume_cuts import GAP, PLANES, draw_cuts

SHAPE, SPACING, PANEL = (20, 48, 40), (1.0, 0.25, 0.5), 200
IMAGE = np.full(SHAPE, 90, np.uint8)


def block(start, stop):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def panels(**options):
    masks = {"truth": None, "prediction": None, "spacing": SPACING, "panel": PANEL}
    drawn = draw_cuts(options.pop("image", IMAGE), **(masks | options))
    assert drawn.shape == (3, PANEL, 3 * PANEL + 2 * GAP)
    assert drawn.dtype == np.uint8
    starts = [number * (PANEL + GAP) for number in range(3)]
    return [drawn[:, :, start : start + PANEL].transpose(1, 2, 0) for start in starts]


def shows(panel, colour):
    """Where a smooth line of a colour is drawn, as bool `H W`."""
    return np.abs(panel.astype(int) - colour).max(axis=2) < 60


def extent(panel, colour):
    rows, columns = np.nonzero(shows(panel, colour))
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def test_every_cut_is_to_the_same_scale():
    """A block of 8 x 6 x 12 mm (slice, depth, lateral) in a field of 40 mm on 200 pixels: 5 pixels per mm."""
    truth = block((6, 12, 8), (14, 36, 32))
    sizes = {"axial": (30, 60), "coronal": (40, 60), "sagittal": (30, 40)}
    for plane, panel in zip(PLANES, panels(truth=truth, field_mm=40.0), strict=True):
        assert extent(panel, TRUTH) == pytest.approx(sizes[plane.name], abs=2)


def test_prediction_and_truth_have_their_colours_and_absent_masks_none():
    truth, prediction = block((6, 12, 8), (14, 36, 32)), block((8, 8, 12), (14, 30, 36))
    for panel in panels(truth=truth, prediction=prediction):
        assert shows(panel, TRUTH).any()
        assert shows(panel, PREDICTED).any()
    for panel in panels(truth=np.zeros(SHAPE, bool), prediction=None):
        assert not (shows(panel, TRUTH) | shows(panel, PREDICTED)).any()


def test_the_cuts_go_through_the_largest_true_lesion():
    """Voxels hold their slice number times ten, so that grey tells which slice the axial cut is."""
    image = np.broadcast_to(np.arange(SHAPE[0])[:, None, None] * 10, SHAPE).astype(np.uint8)
    truth = block((11, 10, 10), (16, 20, 20)) | block((2, 40, 30), (4, 42, 32))
    far = block((1, 1, 1), (9, 30, 30))
    middle = PANEL // 2
    assert panels(image=image, truth=truth, prediction=far)[0][middle, middle, 0] == 130
    assert panels(image=image, truth=~far & False, prediction=far)[0][middle, middle, 0] in (40, 50)
    assert panels(image=image)[0][middle, middle, 0] in (90, 100)


def test_a_bent_lesion_is_met_by_its_own_cuts():
    ring = block((9, 8, 8), (11, 40, 32)) & ~block((9, 14, 12), (11, 34, 28))
    assert all(shows(panel, TRUTH).any() for panel in panels(truth=ring))


def test_what_lies_outside_of_the_volume_is_black():
    axial = panels(field_mm=60.0)[0]
    assert (axial[PANEL // 2, :20] == 0).all()
    assert (axial[PANEL // 2, PANEL // 2 - 20 : PANEL // 2 + 20] == 90).all()
