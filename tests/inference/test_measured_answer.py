"""A model whose rule looks at measured descriptors: what it measures is in its answer and in every file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_package

from bustle.cli.main import main
from bustle.core.config import to_mapping
from bustle.inference.decision import DecisionRule, Question
from bustle.inference.descriptor_model import DescriptorModel, DescriptorTerm
from bustle.inference.prediction_files import read_prediction
from bustle.io.raster import write_png

RULE = DecisionRule(
    domain=None,
    presence=None,
    malignancy=Question(
        intercept=0.0,
        weights=(0.0, 1.0),
        least_yes=0.4,
        least_no=0.4,
        coverage_yes=0.9,
        coverage_no=0.9,
        cases_yes=20,
        cases_no=20,
    ),
    smallest_part=0.3,
    descriptors=DescriptorModel(
        positive_class="malignant",
        intercept=0.0,
        terms={"depth_width_ratio": DescriptorTerm(mean=0.5, sd=0.5, coefficient=1.0)},
    ),
)


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of two bright boxes on black: one tall, with a small part aside, and one flat."""
    folder = tmp_path_factory.mktemp("measured")
    tall = np.zeros((1, 64, 64), np.uint8)
    tall[:, 10:50, 20:40] = 255
    tall[:, 5:7, 50:60] = 255
    flat = np.zeros((1, 64, 64), np.uint8)
    flat[:, 20:36, 8:56] = 255
    for name, image in (("tall", tall), ("flat", flat)):
        write_png(folder / "scans" / f"{name}.png", image)
    model = write_package(folder / "model.bustle", changes={"decision": to_mapping(RULE)})
    out = folder / "out"
    assert main(["predict", str(folder / "scans"), "--model", str(model), "--out", str(out), "--report"]) == 0
    return out


def test_the_largest_lesion_is_measured_and_decides(predicted: Path):
    for name, ratio, words, decision in (
        ("tall", 2.0, "taller than wide", "malignant"),
        ("flat", 1 / 3, "flatter than usual", "refer"),
    ):
        answer = read_prediction(predicted / name).answer
        assert answer is not None
        expected = 1 / (1 + math.exp(-(ratio - 0.5) / 0.5))
        assert answer.probabilities["malignant"] == pytest.approx(expected)
        assert answer.decision == decision
        (moved,) = answer.moved_by
        assert (moved.descriptor, moved.words, moved.value) == ("depth_width_ratio", words, pytest.approx(ratio))
        assert moved.change == pytest.approx(expected - 0.5)


def test_nothing_moved_an_answer_that_draws_nothing():
    rule = replace(RULE, presence=RULE.malignancy)
    for normal, moved in ((0.99, 0), (0.5, 1), (0.01, 1)):
        probabilities = {"benign": (1 - normal) / 2, "malignant": (1 - normal) / 2, "normal": normal}
        answer = rule.answer(probabilities, peak=0.9, statistics=(), lesion={"depth_width_ratio": 2.0})
        assert answer.draws_nothing == (moved == 0)
        assert len(answer.moved_by) == moved


def test_it_is_told_in_the_record_and_on_the_page(predicted: Path):
    record = json.loads((predicted / "tall" / "prediction.json").read_text())
    assert record["answer"]["moved_by"][0]["words"] == "taller than wide"
    measured = record["lesions"][0]["descriptors"]["values"]["depth_width_ratio"]
    assert measured == pytest.approx(record["answer"]["moved_by"][0]["value"])
    assert "taller than wide +0.45" in (predicted / "answers.html").read_text()


def test_the_rule_is_asked_again_with_what_is_measured_of_another_outline(predicted: Path):
    answer = read_prediction(predicted / "tall").answer
    probabilities = read_prediction(predicted / "tall").class_probabilities
    assert answer is not None
    assert probabilities is not None
    again = RULE.redrawn(answer, probabilities, lesion={"depth_width_ratio": 2.0})
    assert again.decision == answer.decision
    assert again.probabilities == pytest.approx(answer.probabilities)
    flat = RULE.redrawn(answer, probabilities, lesion={"depth_width_ratio": 0.25})
    assert flat.probabilities["malignant"] == pytest.approx(1 / (1 + math.exp(0.5)))
    assert flat.decision == "benign"
