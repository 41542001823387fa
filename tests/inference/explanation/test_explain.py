"""Explanations of a package whose answer is known by hand, and of made-up networks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package
from tests.made_model import MADE_MODEL

from bustle.core.answer import Answer
from bustle.core.data_section import PatchData
from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning
from bustle.core.types import Geometry
from bustle.inference.backend import NetworkOutput
from bustle.inference.explanation.explain import class_evidence, explained_class
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor


def bright_corner() -> np.ndarray:
    """Grey `1 128 96`, brighter than its surroundings in the upper left sixteenth."""
    image = np.full((1, 128, 96), 60, np.uint8)
    image[:, :32, :24] = 250
    return image


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = write_package(tmp_path_factory.mktemp("package") / "hand.bustle", with_class_maps=True)
    return Predictor.open(folder, device="cpu")


def test_evidence_for_a_class_is_against_the_others():
    maps = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    found = class_evidence(maps, 1)
    assert np.allclose(found, 8 * (maps[1] - (maps[0] + maps[2]) / 2))
    two = maps[:2]
    assert np.allclose(class_evidence(two, 0), -class_evidence(two, 1))


def test_what_is_added_to_all_classes_explains_nothing():
    maps = np.random.default_rng(0).normal(size=(3, 5, 5)).astype(np.float32)
    assert np.allclose(class_evidence(maps, 0), class_evidence(maps + 7, 0), atol=1e-4)


def test_the_class_activation_map_s_mean_is_the_log_odds(explaining: Predictor):
    image = bright_corner()
    prediction = explaining.predict(image, case_id="a")
    (found,) = explaining.explained(prediction, image, methods=("cam",)).explanations
    assert (found.method, found.class_name) == ("cam", prediction.decision)
    assert found.values.shape == (128, 96)
    assert found.values.dtype == np.float32
    probabilities = prediction.class_probabilities
    assert probabilities is not None
    log_odds = np.log(probabilities[found.class_name] / (1 - probabilities[found.class_name]))
    assert found.values.mean() == pytest.approx(log_odds, abs=1e-3)


def test_the_map_lies_where_the_evidence_is(explaining: Predictor):
    image = bright_corner()
    explained = explaining.explained(explaining.predict(image, case_id="a"), image, methods=("cam",))
    (found,) = explained.explanations
    assert found.class_name == "benign"  # most of the image is dark
    assert found.values[:30, :22].mean() < -0.8
    assert found.values[40:, 40:].mean() > 0.4


def test_the_uncertainty_of_an_outline_that_no_view_changes_is_none(explaining: Predictor):
    image = np.full((1, 64, 64), 250, np.uint8)
    image[:, :, 32:] = 5  # mirrored it is another image, which the network sees pixel by pixel all the same
    explained = explaining.explained(explaining.predict(image, case_id="a"), image, methods=("uncertainty",))
    (found,) = explained.explanations
    assert found.class_name is None
    assert found.values[:, :24].max() < 1e-3
    assert found.values[:, 40:].max() < 1e-3
    assert found.values[:, 30:34].max() > 0.05  # shrunk and enlarged again, the edge is not where it was


def test_asked_for_nothing_the_best_method_is_chosen_and_what_is_not_offered_is_refused(
    explaining: Predictor, tmp_path: Path
):
    assert explaining.explanation_methods() == ("cam",)
    assert explaining.explanation_methods(("uncertainty", "cam", "cam")) == ("uncertainty", "cam")
    without = Predictor.open(write_package(tmp_path / "hand.bustle"), device="cpu")
    assert without.explanation_methods() == ("uncertainty",)
    with pytest.raises(InputError, match="this model offers no cam; it offers uncertainty; gradients need the run"):
        without.explanation_methods(("cam",))


def test_which_class_is_explained(explaining: Predictor):
    prediction = explaining.predict(bright_corner(), case_id="a")
    assert explained_class(dataclasses.replace(prediction, decision="malignant")) == "malignant"
    answer = Answer(
        decision="refer", probabilities={"benign": 0.4, "malignant": 0.6}, possible=("benign", "malignant")
    )
    assert explained_class(dataclasses.replace(prediction, decision="refer", answer=answer)) == "malignant"
    other = Answer(decision="no breast ultrasound", probabilities={}, possible=())
    assert explained_class(dataclasses.replace(prediction, decision=other.decision, answer=other)) == "benign"


class MalignantInTheMiddle:
    """For volumes: bright is lesion; the middle of the patch speaks for malignant, its first slices against it."""

    runtime = "by hand"
    gives_class_maps = True

    def __init__(self, *, outlines: bool = True):
        self.mask_meaning = MaskMeaning(("lesion",), "sigmoid", (0,)) if outlines else None

    def run(self, images: np.ndarray) -> NetworkOutput:
        masks = (images > 0).astype(np.float32) if self.mask_meaning else None
        return NetworkOutput(masks, np.tile(np.float32([0.2, 0.8]), (len(images), 1)))

    def class_maps(self, images: np.ndarray) -> np.ndarray:
        maps = np.zeros((len(images), 2, 4, 4, 4), np.float32)
        maps[:, 1, 1:3, 1:3, 1:3] = 1 / 8
        maps[:, 1, 0] = -1 / 16
        return maps


PATCHES = PatchData(size=(32, 32, 32), spacing_mm=0.5, channels=1, mean=(0.5,), std=(0.5,))


@pytest.mark.parametrize("outlines", [True, False])
def test_in_a_volume_the_patch_about_the_lesion_is_explained(tmp_path: Path, outlines: bool):
    volume = np.full((1, 60, 70, 80), 20, np.uint8)
    volume[:, 20:30, 30:40, 50:60] = 235
    geometry = Geometry(volume.shape[1:], spacing=(0.5, 0.5, 0.5))
    model = Predictor(
        MalignantInTheMiddle(outlines=outlines), path=tmp_path, protocol="s", data=PATCHES, provenance=MADE_MODEL
    )
    centre = None if outlines else (24.5, 34.5, 54.5)
    (prediction,) = model.predict_many([Item("a", volume, geometry, centre)])
    (found,) = model.explained(prediction, volume, methods=("cam",)).explanations
    assert found.class_name == "malignant"
    assert found.values.shape == volume.shape[1:]
    assert found.values[22:28, 32:38, 52:58].min() > 0
    assert found.values[9:11, 20:48, 40:66].max() < 0, "the first slices of the patch"
    assert not found.values[:8].any(), "outside of the patch nothing is said"
    assert not found.values[:, :, :36].any()
