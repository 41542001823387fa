from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.inference.decided_outline import decided_outline
from bustle.inference.decision import DecisionRule, Domain, Question, most_probable, named

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
    answer = RULE.answer(probabilities(normal=normal, malignant=malignant), peak=peak, statistics=())
    assert (answer.decision, answer.possible) == (decision, possible)
    assert math.isclose(sum(answer.probabilities.values()), 1)


def test_calibrated_probabilities_by_hand():
    answer = RULE.answer(probabilities(normal=0.2, malignant=0.8), peak=0.6, statistics=())
    lesion = 1 / (1 + math.exp(-0.5 * math.log(0.6 / 0.4) - 0.5 * math.log(0.8 / 0.2)))
    assert math.isclose(answer.probabilities["normal"], 1 - lesion)
    assert math.isclose(answer.probabilities["malignant"], lesion * 0.8)
    assert list(answer.probabilities) == ["benign", "malignant", "normal"]


def test_where_neither_answer_reaches_its_bound_the_nearer_one_is_possible():
    strict = dataclasses.replace(MALIGNANCY, least_yes=0.9, least_no=0.6)
    assert strict.possible(0.5) == (False, True)  # 0.5 of 0.6 is nearer than 0.5 of 0.9
    assert strict.possible(0.7) == (True, False)


def test_a_model_that_knows_no_normals_always_has_a_lesion():
    rule = dataclasses.replace(RULE, presence=None)
    answer = rule.answer({"benign": 0.1, "malignant": 0.9}, peak=0.0, statistics=())
    assert (answer.decision, answer.possible) == ("malignant", ("malignant",))


def test_certain_networks_give_finite_answers():
    answer = RULE.answer({"benign": 0.0, "malignant": 0.0, "normal": 1.0}, peak=0.0, statistics=())
    assert answer.decision == "no lesion"
    assert all(math.isfinite(value) for value in answer.probabilities.values())


def test_of_another_picture_nothing_is_said():
    domain = Domain(mean=(0.0,) * 13, precision=tuple(map(tuple, np.eye(13).tolist())), most_distance=3.0)
    rule = dataclasses.replace(RULE, domain=domain)
    sure = probabilities(normal=0.1, malignant=0.9)
    assert rule.answer(sure, peak=0.9, statistics=(1.0, 2.0, 2.0, *[0.0] * 10)).decision == "malignant"  # at 3
    answer = rule.answer(sure, peak=0.9, statistics=(1.0, 2.0, 2.1, *[0.0] * 10))
    assert (answer.decision, answer.possible, answer.probabilities) == ("no breast ultrasound", (), {})
    with pytest.raises(InputError, match="need 13 numbers"):
        from_mapping(Domain, to_mapping(domain) | {"mean": [0.0]}, where="domain")


def test_a_rule_is_plain_data():
    assert from_mapping(DecisionRule, to_mapping(RULE), where="rule") == RULE
    for change in (
        {"smallest_part": 1.0},
        {"malignancy": to_mapping(PRESENCE)},
        {"presence": to_mapping(MALIGNANCY)},
    ):
        with pytest.raises(InputError):
            from_mapping(DecisionRule, to_mapping(RULE) | change, where="rule")


def drawn(*parts: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    for part in parts:
        mask[part] = True
    return mask


LARGE, SMALL = (slice(2, 12), slice(2, 12)), (slice(2, 5), slice(20, 25))


def outline(mask: np.ndarray, probability: np.ndarray, *, normal: float, peak: float) -> np.ndarray:
    answer = RULE.answer(probabilities(normal=normal, malignant=0.9), peak=peak, statistics=())
    return decided_outline(mask, probability.astype(np.float32), answer=answer, smallest_part=0.2)


def test_no_lesion_has_no_outline():
    mask = drawn(LARGE)
    assert not outline(mask, mask * 0.9, normal=0.95, peak=0.1).any()


def test_small_parts_beside_a_large_one_are_dropped():
    mask = drawn(LARGE, SMALL)  # 15 of 100 pixels
    assert np.array_equal(outline(mask, mask * 0.9, normal=0.1, peak=0.9), drawn(LARGE))


def test_a_possible_lesion_that_the_network_does_not_draw_is_drawn_around_the_peak():
    probability = drawn(LARGE) * 0.4 + drawn(SMALL) * 0.3
    probability[5, 5] = 0.45
    found = outline(np.zeros((20, 30), bool), probability, normal=0.7, peak=0.45)
    assert np.array_equal(found, drawn(LARGE))
