from __future__ import annotations

from dataclasses import replace

import pytest

from bustle.evaluation.results import FoldEstimate
from bustle.report.wording import interval, mean_and_spread, number, resampled_groups, with_unit


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8125, "fraction", "0.812"),
        (None, "fraction", "–"),
        (12.345, "mm", "12.35"),
        (123.45, "px", "123.5"),
        (12345.6, "px", "12,346"),
        (1.25, "ratio", "1.250"),
    ],
)
def test_digits_follow_the_unit(value, unit, text):
    assert number(value, unit) == text


def test_units_stand_only_where_there_is_one():
    assert with_unit(3.0, "mm") == "3.00 mm"
    assert with_unit(0.5, "fraction") == "0.500"
    assert with_unit(None, "mm") == "–"


def test_intervals_and_spreads():
    assert interval([0.1, 0.25], "fraction") == "0.100 to 0.250"
    assert interval(None, "px") == "–"
    dice = FoldEstimate(mean=0.8, sd=0.02, n=9, unit="fraction", folds=(0.78, 0.82))
    assert mean_and_spread(dice) == "0.800 ± 0.020"
    assert mean_and_spread(replace(dice, sd=None)) == "0.800"
    assert mean_and_spread(replace(dice, mean=None, sd=None)) == "–"


def test_too_few_groups_are_said():
    assert resampled_groups(5) == "5 groups resampled"
    assert resampled_groups(1) == "none but of shares: 1 group, at least 5 are needed"
