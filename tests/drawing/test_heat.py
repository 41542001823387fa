from __future__ import annotations

import dataclasses

import numpy as np
from tests.made_model import MADE_MODEL

from bustle.core.explanation import MEANINGS
from bustle.core.types import Explanation, Geometry, ImageMapping, ImageSegmentation, Prediction, VolumeMapping
from bustle.drawing.heat import AGAINST, FOR, UNSURE, draw_explanation, heat_layer
from bustle.drawing.outlines import PREDICTED

SIZE = (120, 160)
IMAGE = np.full((1, *SIZE), 100, np.uint8)


def prediction() -> Prediction:
    mask = np.zeros(SIZE, bool)
    mask[40:80, 40:100] = True
    return Prediction(
        case_id="a",
        geometry=Geometry(SIZE),
        mapping=ImageMapping(SIZE, (0, 0), SIZE),
        segmentation=ImageSegmentation(mask.astype(np.float32), mask, mask, lesions=()),
        class_probabilities={"benign": 0.2, "malignant": 0.8},
        decision="malignant",
        provenance=MADE_MODEL,
    )


def map_of(left: float, right: float) -> np.ndarray:
    values = np.zeros(SIZE, np.float32)
    values[90:, :40], values[90:, 120:] = left, right
    return values


def shift(drawn: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    return drawn[(slice(None), *place)].astype(int) - 100


def test_for_and_against_have_their_colours_over_an_image_that_stays_visible():
    found = Explanation("cam", "malignant", map_of(-3, 3))
    drawn = draw_explanation(IMAGE, prediction(), found)
    assert drawn.shape == (3, *SIZE)
    for place, colour in (((110, 20), AGAINST), ((110, 140), FOR)):
        assert np.array_equal(np.sign(shift(drawn, place)), np.sign(np.array(colour) - 100))
        assert np.abs(drawn[(slice(None), *place)].astype(int) - colour).max() > 20
    assert not shift(drawn, (110, 80)).any(), "nothing is said there"
    assert tuple(drawn[:, 40, 70]) == PREDICTED


def test_a_little_uncertainty_looks_like_little():
    most = draw_explanation(IMAGE, prediction(), Explanation("uncertainty", None, map_of(0, 0.5)))
    little = draw_explanation(IMAGE, prediction(), Explanation("uncertainty", None, map_of(0, 0.01)))
    assert np.array_equal(np.sign(shift(most, (110, 140))), np.sign(np.array(UNSURE) - 100))
    assert np.abs(shift(little, (110, 140))).max() < 5


def test_a_map_that_says_nothing_leaves_the_image():
    drawn = draw_explanation(IMAGE, dataclasses.replace(prediction(), segmentation=None, decision=None), EMPTY)
    assert (drawn[:, 60:] == 100).all()


def test_what_a_stage_answers_is_shown_from_its_least_to_its_most_and_not_on_the_image():
    stage = Explanation("channel", None, map_of(0.60, 0.62), channel="stage_3")
    drawn = draw_explanation(IMAGE, prediction(), stage)
    assert [set(drawn[:, 110, column]) for column in (20, 80, 140)] == [{0}, {0}, {255}]
    share = Explanation("channel", None, map_of(0, 0.01), channel="mask_lesion")
    drawn = draw_explanation(IMAGE, prediction(), share)
    assert np.abs(shift(drawn, (110, 140))).max() < 5, "a hundredth of a probability looks like little"


EMPTY = Explanation("cam", "malignant", np.zeros(SIZE, np.float32))


def test_a_volume_is_tinted_in_its_cuts():
    size = (20, 24, 28)
    of_volume = Prediction(
        case_id="v",
        geometry=Geometry(size, spacing=(1.0, 1.0, 1.0)),
        mapping=VolumeMapping(size),
        segmentation=None,
        class_probabilities={"benign": 0.2, "malignant": 0.8},
        decision="malignant",
        provenance=MADE_MODEL,
    )
    values = np.full(size, 2, np.float32)
    values[:, :, :14] = -2
    drawn = draw_explanation(np.full((1, *size), 100, np.uint8), of_volume, Explanation("cam", "malignant", values))
    axial = drawn[:, :, :340]
    assert np.array_equal(np.sign(shift(axial, (170, 60))), np.sign(np.array(AGAINST) - 100))
    assert np.array_equal(np.sign(shift(axial, (170, 280))), np.sign(np.array(FOR) - 100))


def test_a_layer_laid_over_its_image_is_the_drawn_explanation():
    explanation = Explanation("cam", "malignant", map_of(2.0, -2.0))
    layer = heat_layer(explanation.values, meaning=MEANINGS["cam"])
    assert layer.shape == (4, *SIZE)
    share = layer[3] / 255
    laid = np.repeat(IMAGE, 3, axis=0) * (1 - share) + layer[:3] * share
    drawn = draw_explanation(IMAGE, prediction(), explanation)
    for place in ((100, 20), (100, 140), (30, 80)):
        np.testing.assert_allclose(laid[(slice(None), *place)], drawn[(slice(None), *place)], atol=1.5)
