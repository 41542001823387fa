"""A map that explains is told from one that does not, on a network that looks at one corner only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData
from bustle.core.types import Geometry, ImageMapping, Prediction
from bustle.inference.backend import NetworkOutput
from bustle.inference.explanation.check import (
    FRACTIONS,
    CaseCheck,
    ExplanationCheck,
    perturbed,
    random_map,
    rank_correlation,
)

SIZE = (64, 64)
SECTION = ImageData(size=SIZE, channels=1, mean=(0.5,), std=(0.5,))
CORNER = (slice(8, 24), slice(8, 24))


class LooksAtACorner:
    """Malignant is how uneven a corner is; its map shows the corner, or what `shown` says."""

    runtime = "by hand"
    mask_meaning = None
    gives_class_maps = True

    def __init__(self, shown: np.ndarray | None = None):
        self.shown = shown

    def run(self, images: np.ndarray) -> NetworkOutput:
        uneven = np.clip(images[:, 0][(slice(None), *CORNER)].std(axis=(1, 2)), 0, 1)
        return NetworkOutput(None, np.stack([1 - uneven, uneven], axis=1).astype(np.float32))

    def class_maps(self, images: np.ndarray) -> np.ndarray:
        maps = np.zeros((len(images), 2, *SIZE), np.float32)
        maps[(slice(None), 1, *CORNER)] = 1
        if self.shown is not None:
            maps[:, 1] = self.shown
        return maps


def image() -> np.ndarray:
    return np.random.default_rng(0).choice([0, 255], (1, *SIZE)).astype(np.uint8)


def checked(backend: Any, forgetful: Any = None) -> CaseCheck:
    prediction = Prediction(
        case_id="a",
        geometry=Geometry(SIZE),
        mapping=ImageMapping(SIZE, (0, 0), SIZE),
        segmentation=None,
        class_probabilities={"benign": 0.1, "malignant": 0.9},
        decision="malignant",
        provenance=MADE_MODEL,
    )
    return ExplanationCheck(backend, forgetful, SECTION).of_case(prediction, image(), methods=["cam"], number=0)


def test_a_map_of_what_the_network_looks_at_beats_a_random_order():
    found = checked(LooksAtACorner())
    deletion, insertion = found.methods["cam"].curves
    assert deletion[0] == pytest.approx(insertion[-1])
    assert deletion[-1] == pytest.approx(insertion[0])
    assert deletion[1] < 0.2 < 0.8 < insertion[1], "a tenth of the image holds the whole corner"
    assert deletion.mean() < found.random.deletion.mean() - 0.2
    assert insertion.mean() > found.random.insertion.mean() + 0.2


def test_a_map_that_explains_nothing_is_seen_to_explain_nothing():
    elsewhere = np.zeros(SIZE, np.float32)
    elsewhere[40:, 40:] = 1
    found = checked(LooksAtACorner(elsewhere))
    deletion, insertion = found.methods["cam"].curves
    assert deletion[1] > 0.9
    assert insertion[1] < 0.2
    assert deletion.mean() > found.random.deletion.mean() - 0.1
    assert insertion.mean() < found.random.insertion.mean() + 0.1


def test_a_map_that_does_not_depend_on_the_weights_is_like_that_of_a_shuffled_network():
    edges = np.random.default_rng(1).random(SIZE).astype(np.float32)
    assert checked(LooksAtACorner(edges), LooksAtACorner(edges)).methods["cam"].likeness == pytest.approx(1)
    other = np.random.default_rng(2).random(SIZE).astype(np.float32)
    assert abs(checked(LooksAtACorner(edges), LooksAtACorner(other)).methods["cam"].likeness) < 0.1
    assert checked(LooksAtACorner()).methods["cam"].likeness is None


def test_the_strongest_pixels_are_blurred_first_and_put_back_first():
    pixels = image()
    strength = np.zeros(SIZE, np.float32)
    strength[:16] = 1
    ties = random_map(SIZE, seed=(0, 0))
    deleted, inserted = ([*perturbed(pixels, strength, ties=ties, insert=insert)] for insert in (False, True))
    assert len(deleted) == len(FRACTIONS)
    assert np.array_equal(deleted[0], pixels)
    assert np.array_equal(deleted[-1], inserted[0])
    assert np.array_equal(inserted[-1], pixels)
    assert deleted[-1].std() < 0.1 * pixels.std()
    assert np.array_equal(deleted[2][:, 16:], pixels[:, 16:]), "a quarter of the image is the stronger"
    assert np.array_equal(inserted[3][:, :16], pixels[:, :16])


def test_a_random_order_comes_in_blobs_and_differs_from_case_to_case():
    first, again, other = (random_map((64, 96), seed=seed) for seed in ((0, 0), (0, 0), (0, 1)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(np.diff(first, axis=1)).mean() < 0.1 * first.std()
    assert random_map((32, 32, 32), seed=(0, 0)).shape == (32, 32, 32)


def test_rank_correlation():
    ascending = np.arange(6, dtype=np.float32)
    assert rank_correlation(ascending, ascending**3) == pytest.approx(1)
    assert rank_correlation(ascending, -ascending) == pytest.approx(-1)
    assert rank_correlation(ascending, np.zeros(6, np.float32)) == 0
