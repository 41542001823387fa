from __future__ import annotations

import json
import math

import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.inference.descriptor_model import FREE_OF_SPACING, DescriptorModel, DescriptorTerm

MODEL = DescriptorModel(
    positive_class="malignant",
    intercept=-1.0,
    terms={
        "depth_width_ratio": DescriptorTerm(mean=0.6, sd=0.2, coefficient=0.8),
        "posterior_contrast": DescriptorTerm(mean=0.0, sd=0.1, coefficient=-0.5),
        "orientation": DescriptorTerm(mean=10.0, sd=5.0, coefficient=0.2),
    },
)
TALL_WITH_SHADOW = {"depth_width_ratio": 1.0, "posterior_contrast": -0.2, "orientation": None}


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_the_probability_is_the_sigmoid_of_the_sum_and_what_is_not_measured_counts_as_average():
    assert MODEL.probability(TALL_WITH_SHADOW) == pytest.approx(sigmoid(-1 + 1.6 + 1.0))
    assert MODEL.probability(dict.fromkeys(MODEL.terms)) == pytest.approx(sigmoid(-1))


def test_a_contribution_is_the_change_of_probability_that_a_descriptor_makes_the_greatest_first():
    moved = MODEL.contributions(TALL_WITH_SHADOW)
    assert list(moved) == ["depth_width_ratio", "posterior_contrast", "orientation"]
    assert moved["depth_width_ratio"] == pytest.approx(sigmoid(1.6) - sigmoid(0.0))
    assert moved["posterior_contrast"] == pytest.approx(sigmoid(1.6) - sigmoid(0.6))
    assert moved["orientation"] == 0


def test_extreme_values_do_not_overflow():
    values = dict.fromkeys(MODEL.terms) | {"depth_width_ratio": 1e6}
    assert MODEL.probability(values) == 1
    assert MODEL.probability(values | {"depth_width_ratio": -1e6}) == 0


def test_coefficients_are_data():
    assert from_mapping(DescriptorModel, json.loads(json.dumps(to_mapping(MODEL))), where="model") == MODEL


def test_a_name_that_nothing_measures_is_refused():
    with pytest.raises(ValueError, match="no measured descriptor"):
        DescriptorModel(positive_class="malignant", intercept=0, terms={"age": MODEL.terms["orientation"]})


def test_descriptors_with_a_unit_of_length_are_left_out():
    assert not {"area", "depth", "width", "longest_diameter"} & set(FREE_OF_SPACING)
    assert {"depth_width_ratio", "margin_roughness", "posterior_contrast"} <= set(FREE_OF_SPACING)
