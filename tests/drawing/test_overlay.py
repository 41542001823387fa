from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.answer import Answer
from bustle.core.types import Geometry, ImageMapping, ImageSegmentation, Prediction
from bustle.drawing.outlines import PREDICTED, TRUTH
from bustle.drawing.overlay import captions, draw_overlay

CLASSES = {"benign": 0.13, "malignant": 0.87}


def prediction_of(mask: np.ndarray | None, classes: dict[str, float] | None = CLASSES) -> Prediction:
    size = (64, 64) if mask is None else mask.shape
    return Prediction(
        case_id="a",
        geometry=Geometry(original_size=size),
        mapping=ImageMapping(size, (0, 0), size),
        segmentation=None if mask is None else ImageSegmentation(mask.astype(np.float32), mask, mask, lesions=()),
        class_probabilities=classes,
        decision=None,
        provenance=MADE_MODEL,
    )


def box_mask(size: tuple[int, int], *, y: slice, x: slice) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[y, x] = True
    return mask


def test_predicted_and_true_contours_have_their_colours_and_nothing_inside_changes():
    image = np.full((1, 400, 500), 90, np.uint8)
    mask = box_mask((400, 500), y=slice(100, 200), x=slice(150, 300))
    truth = box_mask((400, 500), y=slice(250, 300), x=slice(150, 300))
    drawn = draw_overlay(image, prediction_of(mask, None), truth=truth)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (3, 400, 500)
    assert tuple(drawn[:, 100, 220]) == PREDICTED
    assert tuple(drawn[:, 250, 220]) == TRUTH
    assert (drawn[:, 110:190, 160:290] == 90).all()
    assert (image == 90).all()  # the input is left alone


def test_without_mask_and_class_the_image_is_unchanged():
    image = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    assert np.array_equal(draw_overlay(image, prediction_of(None, None)), image)


def test_captions_from_full_to_short():
    assert captions(prediction_of(None)) == ("malignant 0.87, benign 0.13", "malignant 0.87", "M 0.87")
    assert captions(prediction_of(None, None)) == ()


def test_an_answer_that_names_no_class_is_said_before_its_probabilities():
    answer = Answer(
        decision="refer", probabilities={"benign": 0.4, "malignant": 0.6}, possible=("benign", "malignant")
    )
    said = dataclasses.replace(prediction_of(None), answer=answer, decision="refer")
    assert captions(said) == (
        "refer, could be benign or malignant: malignant 0.60, benign 0.40",
        "refer: malignant 0.60, benign 0.40",
        "refer",
    )


def test_a_suspected_lesion_has_a_dashed_contour():
    image = np.full((1, 400, 500), 90, np.uint8)
    mask = box_mask((400, 500), y=slice(100, 300), x=slice(100, 400))
    firm = prediction_of(mask, None)
    answer = Answer(
        decision="lesion possible", probabilities={"benign": 0.5, "normal": 0.5}, possible=("benign", "normal")
    )
    suspected = dataclasses.replace(firm, answer=answer)
    count = [int((draw_overlay(image, said)[0, 100, 100:400] == PREDICTED[0]).sum()) for said in (firm, suspected)]
    assert count[0] == 300
    assert 100 < count[1] < 200


def written(size: tuple[int, int], mask: np.ndarray | None = None) -> np.ndarray:
    """Where the caption darkened or lit a grey image."""
    grey = np.full((1, *size), 100, np.uint8)
    mask = np.zeros(size, bool) if mask is None else mask
    return draw_overlay(grey, prediction_of(mask)) != draw_overlay(grey, prediction_of(mask, None))


@pytest.mark.parametrize("size", [(32, 32), (33, 500), (64, 64), (101, 77), (256, 256), (700, 1000), (4096, 4096)])
def test_the_caption_fits_every_size_or_is_left_out(size: tuple[int, int]):
    changed = written(size).any(axis=0)
    rows = changed.any(axis=1).sum()
    assert rows <= size[0] / 3 + 1
    if min(size) >= 100:
        assert rows >= 10  # legible
    if size == (32, 32):
        assert not changed.any()


def test_the_caption_grows_with_the_image():
    small, large = (written((edge, edge)).any(axis=(0, 2)).sum() for edge in (500, 3000))
    assert large > 3 * small


def test_the_caption_avoids_the_lesion():
    size = (300, 400)
    lesion = box_mask(size, y=slice(0, 80), x=slice(0, 400))
    changed = written(size, lesion).any(axis=0)
    assert changed.any()
    assert not changed[:80].any()
