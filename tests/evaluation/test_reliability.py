"""The figures of `reliability.json` from made-up rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.reliability import Reliability, reliability_of
from bustle.evaluation.summary import Scoring

CLASSES = ("benign", "malignant")
SCORING = Scoring(protocol=load_protocol("strict"), classes=CLASSES, resamples=200)


def rows(count: int, *, share: float = 0.4) -> list[CaseRow]:
    """The possible classes of every fourth case lack the true one."""
    random = np.random.default_rng(0)
    found = []
    for number in range(count):
        label = "malignant" if random.random() < share else "benign"
        said = float(np.clip(random.normal(0.7 if label == "malignant" else 0.3, 0.2), 0.01, 0.99))
        other = "benign" if label == "malignant" else "malignant"
        found.append(
            CaseRow(
                case_id=f"s/{number}",
                group_id=str(number),
                source="s",
                label=label,
                probabilities={"benign": 1 - said, "malignant": said},
                decision=label,
                possible=other if number % 4 == 0 else "benign|malignant",
                truth_empty=False,
            )
        )
    return found


def test_coverage_is_told_of_every_part_that_has_enough_cases():
    made = rows(100)
    folds = {row.case_id: "0" if number < 90 else "1" for number, row in enumerate(made)}
    found = reliability_of(made, made, kinds={"fold": folds}, scoring=SCORING)
    first, second = found.coverage
    assert (first.kind, first.name, first.n) == ("fold", "0", 90)
    assert first.coverage_classes.value == pytest.approx(67 / 90)
    assert first.coverage_classes.ci95 is not None
    assert (second.n, second.coverage_classes.value) == (10, None)
    assert first.coverage_normals.n == 0
    assert found.answers is not None
    assert from_mapping(Reliability, to_mapping(found), where="reliability.json") == found


def test_a_sensitivity_that_so_few_cases_cannot_show_has_no_threshold():
    few = reliability_of(rows(80), (), kinds={}, scoring=SCORING).network
    many = reliability_of(rows(400), (), kinds={}, scoring=SCORING).network
    assert few is not None
    assert many is not None
    assert few.n_positive < 50
    assert [each.target for each in few.thresholds] == [0.95]
    assert [each.target for each in many.thresholds] == [0.95, 0.98]
    strict, loose = many.thresholds[1], many.thresholds[0]
    assert (strict.specificity.value or 1) <= (loose.specificity.value or 0)


def test_of_too_few_cases_of_a_class_nothing_is_said():
    found = reliability_of(rows(100, share=0.05), (), kinds={}, scoring=SCORING)
    assert found == Reliability(network=None)


def test_figures_of_one_class_need_patients_of_that_class_for_an_interval():
    """All malignant cases are of four patients, each benign one of its own."""
    made = [
        replace(row, group_id=f"m{number % 4}") if row.label == "malignant" else row
        for number, row in enumerate(rows(100))
    ]
    found = reliability_of(made, (), kinds={}, scoring=SCORING).network
    assert found is not None
    (figures,) = found.thresholds
    assert figures.threshold.ci95 is None
    assert figures.specificity.ci95 is not None
