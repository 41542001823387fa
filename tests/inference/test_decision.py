from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.inference.decided_outline import OutlineRule, decided_outline, possible_lesions
from bustle.inference.decision import DecisionRule, Domain, Question, most_probable, named
from bustle.inference.descriptor_model import FREE_OF_SPACING, DescriptorModel, DescriptorTerm
from bustle.inference.descriptors.plain_words import plain_words

ALWAYS_OPEN = {"coverage_yes": 0.9, "coverage_no": 0.9, "cases_yes": 20, "cases_no": 20}
MALIGNANCY = Question(intercept=0.0, weights=(1.0,), least_yes=0.3, least_no=0.4, **ALWAYS_OPEN)
PRESENCE = Question(intercept=0.0, weights=(0.5, 0.5), least_yes=0.2, least_no=0.6, **ALWAYS_OPEN)
RULE = DecisionRule(domain=None, presence=PRESENCE, malignancy=MALIGNANCY, smallest_part=0.2)


def test_probabilities_get_the_names_of_the_classes():
    found = named(np.array([0.25, 0.75], np.float32), classes=("benign", "malignant"))
    assert found == {"benign": 0.25, "malignant": 0.75}
    assert named(None, classes=("benign",)) is None


def test_without_a_rule_the_most_probable_class_is_the_decision():
    assert most_probable({"benign": 0.2, "malignant": 0.5, "normal": 0.3}) == "malignant"
    assert most_probable({"malignant": 0.5, "benign": 0.5}) == "malignant"
    assert most_probable({}) is None
    assert most_probable(None) is None


def probabilities(*, normal: float, malignant: float) -> dict[str, float]:
    """`malignant` is the share of the lesion's probability."""
    return {"benign": (1 - normal) * (1 - malignant), "malignant": (1 - normal) * malignant, "normal": normal}


@pytest.mark.parametrize(
    ("normal", "peak", "malignant", "decision", "possible"),
    [
        (0.1, 0.9, 0.9, "malignant", ("malignant",)),
        (0.1, 0.9, 0.1, "benign", ("benign",)),
        (0.1, 0.9, 0.5, "refer", ("benign", "malignant")),
        (0.5, 0.5, 0.9, "malignant", ("malignant",)),  # 1 - 0.5 is below the bound of none
        (0.7, 0.3, 0.9, "lesion possible", ("malignant", "normal")),
        (0.95, 0.1, 0.9, "no lesion", ("normal",)),
    ],
)
def test_every_row_of_the_table_of_answers(
    normal: float, peak: float, malignant: float, decision: str, possible: tuple[str, ...]
):
    answer = RULE.answer(probabilities(normal=normal, malignant=malignant), peak=peak, statistics=(), lesion=None)
    assert (answer.decision, answer.possible) == (decision, possible)
    assert math.isclose(sum(answer.probabilities.values()), 1)


def test_calibrated_probabilities_by_hand():
    answer = RULE.answer(probabilities(normal=0.2, malignant=0.8), peak=0.6, statistics=(), lesion=None)
    lesion = 1 / (1 + math.exp(-0.5 * math.log(0.6 / 0.4) - 0.5 * math.log(0.8 / 0.2)))
    assert math.isclose(answer.probabilities["normal"], 1 - lesion)
    assert math.isclose(answer.probabilities["malignant"], lesion * 0.8)
    assert list(answer.probabilities) == ["benign", "malignant", "normal"]


@pytest.mark.parametrize(("least_yes", "least_no"), [(0.9, 0.6), (0.4, 0.7), (0.0, 1.0)])
@pytest.mark.parametrize("probability", [0.0, 0.2, 0.45, 0.5, 0.7, 1.0])
def test_the_more_probable_answer_is_always_possible(least_yes: float, least_no: float, probability: float):
    bounded = dataclasses.replace(MALIGNANCY, least_yes=least_yes, least_no=least_no)
    yes, no = bounded.possible(probability)
    assert yes if probability >= 0.5 else no
    assert yes or probability < least_yes, "nothing is excluded that its bound keeps"
    assert no or 1 - probability < least_no


def test_a_malignant_lesion_that_is_more_probably_benign_is_referred():
    rule = dataclasses.replace(RULE, malignancy=dataclasses.replace(MALIGNANCY, least_yes=0.4, least_no=0.7))
    answer = rule.answer(probabilities(normal=0.01, malignant=0.45), peak=0.99, statistics=(), lesion=None)
    assert (answer.decision, answer.possible) == ("refer", ("benign", "malignant"))


def test_a_model_that_knows_no_normals_always_has_a_lesion():
    rule = dataclasses.replace(RULE, presence=None)
    answer = rule.answer({"benign": 0.1, "malignant": 0.9}, peak=0.0, statistics=(), lesion=None)
    assert (answer.decision, answer.possible) == ("malignant", ("malignant",))


def test_certain_networks_give_finite_answers():
    answer = RULE.answer({"benign": 0.0, "malignant": 0.0, "normal": 1.0}, peak=0.0, statistics=(), lesion=None)
    assert answer.decision == "no lesion"
    assert all(math.isfinite(value) for value in answer.probabilities.values())


def test_of_another_picture_nothing_is_said():
    domain = Domain(mean=(0.0,) * 13, precision=tuple(map(tuple, np.eye(13).tolist())), most_distance=3.0)
    rule = dataclasses.replace(RULE, domain=domain)
    sure = probabilities(normal=0.1, malignant=0.9)
    near, far = (1.0, 2.0, 2.0, *[0.0] * 10), (1.0, 2.0, 2.1, *[0.0] * 10)  # at 3, and beyond
    assert rule.answer(sure, peak=0.9, statistics=near, lesion=None).decision == "malignant"
    answer = rule.answer(sure, peak=0.9, statistics=far, lesion=None)
    assert (answer.decision, answer.possible, answer.probabilities) == ("no breast ultrasound", (), {})
    with pytest.raises(InputError, match="need 13 numbers"):
        from_mapping(Domain, to_mapping(domain) | {"mean": [0.0]}, where="domain")


def test_a_rule_is_plain_data():
    for rule in (RULE, MEASURING):
        assert from_mapping(DecisionRule, to_mapping(rule), where="rule") == rule
    for change in (
        {"smallest_part": 1.0},
        {"faintest_part": 1.1},
        {"malignancy": to_mapping(PRESENCE)},
        {"presence": to_mapping(MALIGNANCY)},
        {"descriptors": to_mapping(MEASURING.descriptors)},
    ):
        with pytest.raises(InputError):
            from_mapping(DecisionRule, to_mapping(RULE) | change, where="rule")


MEASURING = dataclasses.replace(
    RULE,
    malignancy=dataclasses.replace(MALIGNANCY, weights=(1.0, 0.5)),
    descriptors=DescriptorModel(
        positive_class="malignant",
        intercept=-1.0,
        terms={
            "depth_width_ratio": DescriptorTerm(mean=0.6, sd=0.2, coefficient=0.8),
            "posterior_contrast": DescriptorTerm(mean=0.0, sd=0.1, coefficient=-0.5),
            "margin_roughness": DescriptorTerm(mean=0.01, sd=0.01, coefficient=0.001),
            "orientation": DescriptorTerm(mean=10.0, sd=5.0, coefficient=0.2),
        },
    ),
)
TALL_WITH_SHADOW = {
    "depth_width_ratio": 1.2,
    "posterior_contrast": -0.2,
    "margin_roughness": 0.02,
    "orientation": None,
}


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_what_is_measured_moves_the_probability_and_is_told_in_plain_words():
    seen = {"peak": 0.9, "statistics": ()}
    answer = MEASURING.answer(probabilities(normal=0.1, malignant=0.5), lesion=TALL_WITH_SHADOW, **seen)
    present = sigmoid(0.5 * math.log(9) * 2)
    assert answer.probabilities["malignant"] == pytest.approx(present * sigmoid(0.5 * (-1 + 2.4 + 1.0 + 0.001)))
    tall, shadow = answer.moved_by  # roughness moves it by less than what is told
    assert (tall.descriptor, tall.words, tall.value) == ("depth_width_ratio", "taller than wide", 1.2)
    assert tall.change == pytest.approx(present * (sigmoid(1.2005) - sigmoid(0.0005)))
    assert str(shadow) == f"posterior shadow +{present * (sigmoid(1.2) - sigmoid(0.7)):.2f}"


def test_a_lesion_that_could_not_be_measured_counts_as_an_average_one():
    seen = {"peak": 0.9, "statistics": ()}
    average = {name: term.mean for name, term in MEASURING.descriptors.terms.items()}
    said = probabilities(normal=0.1, malignant=0.5)
    answers = [MEASURING.answer(said, lesion=lesion, **seen) for lesion in (None, average)]
    assert answers[0] == answers[1]
    assert answers[0].moved_by == ()


def test_every_descriptor_of_a_rule_has_plain_words():
    for name in FREE_OF_SPACING:
        below, above = (plain_words(name, value, usual=0.5) for value in (0.01, 0.9))
        assert below != above


def drawn(*parts: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    for part in parts:
        mask[part] = True
    return mask


DROPPING = OutlineRule(faintest_part=0.8, smallest_part=0.2)
LARGE, SMALL = (slice(2, 12), slice(2, 12)), (slice(2, 5), slice(20, 25))


def outline(mask: np.ndarray, probability: np.ndarray, *, normal: float, peak: float) -> np.ndarray:
    answer = RULE.answer(probabilities(normal=normal, malignant=0.9), peak=peak, statistics=(), lesion=None)
    possible = possible_lesions(mask, probability.astype(np.float32), rule=DROPPING)
    return decided_outline(possible, answer=answer)


def test_no_lesion_has_no_outline():
    mask = drawn(LARGE)
    assert not outline(mask, mask * 0.9, normal=0.95, peak=0.1).any()


def test_parts_that_are_fainter_than_another_are_dropped_whatever_their_size():
    mask = drawn(LARGE, SMALL)
    probability = np.where(drawn(SMALL), 0.9, mask * 0.6)  # two thirds
    assert np.array_equal(outline(mask, probability, normal=0.1, peak=0.9), drawn(SMALL))
    probability = np.where(drawn(SMALL), 0.6, mask * 0.7)
    assert np.array_equal(outline(mask, probability, normal=0.1, peak=0.9), drawn(LARGE))  # sure, but small


def test_small_parts_beside_a_large_one_are_dropped():
    mask = drawn(LARGE, SMALL)  # 15 of 100 pixels
    assert np.array_equal(outline(mask, mask * 0.9, normal=0.1, peak=0.9), drawn(LARGE))


def test_a_possible_lesion_that_the_network_does_not_draw_is_drawn_around_the_peak():
    probability = drawn(LARGE) * 0.4 + drawn(SMALL) * 0.3
    probability[5, 5] = 0.45
    found = outline(np.zeros((20, 30), bool), probability, normal=0.7, peak=0.45)
    assert np.array_equal(found, drawn(LARGE))
