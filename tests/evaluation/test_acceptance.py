"""Limits against figures: what an interval proves, and what no number of cases could."""

from __future__ import annotations

import math

import pytest

from bustle.evaluation.acceptance import LIMITED, Limit, cases_needed, judge, overall, unprovable, wrong_way_round
from bustle.evaluation.figures import Estimate
from bustle.evaluation.metrics import ANSWERS
from bustle.evaluation.statistics import exact_interval


def estimate(mean: float | None, ci95: tuple[float, float] | None, *, n: int = 100) -> Estimate:
    return Estimate(mean=mean, sd=None, ci95=ci95, n=n, unit="fraction")


@pytest.mark.parametrize(
    ("limit", "mean", "ci95", "verdict"),
    [
        (Limit(at_least=0.8), 0.9, (0.81, 0.97), "pass"),
        (Limit(at_least=0.8), 0.9, (0.79, 0.97), "not enough cases"),
        (Limit(at_least=0.8), 0.7, (0.6, 0.81), "not enough cases"),
        (Limit(at_least=0.8), 0.7, (0.6, 0.79), "fail"),
        (Limit(at_most=0.1), 0.05, (0.01, 0.09), "pass"),
        (Limit(at_most=0.1), 0.05, (0.01, 0.11), "not enough cases"),
        (Limit(at_most=0.1), 0.2, (0.12, 0.3), "fail"),
        (Limit(at_most=0.1), 0.05, None, "not enough cases"),
        (Limit(at_most=0.1), None, None, "not enough cases"),
    ],
)
def test_the_whole_interval_decides(limit, mean, ci95, verdict):
    figures = {"answers": {name: estimate(mean, ci95) for name in ANSWERS}}
    (judged,) = judge({"answers": {"decided_wrongly": limit}}, figures)
    assert judged.verdict == verdict
    assert overall([judged]) == verdict


def test_a_part_that_was_not_scored_has_no_cases():
    (judged,) = judge({"classification": {"auc": Limit(at_least=0.8)}}, {"classification": None})
    assert (judged.verdict, judged.remark) == ("not enough cases", "no case counts in this figure")


def test_one_broken_limit_fails_the_test_and_one_open_limit_leaves_it_open():
    figures = {"answers": {name: estimate(0.9, (0.8, 0.95)) for name in ANSWERS}}
    good, bad, open_ = Limit(at_least=0.7), Limit(at_least=0.96), Limit(at_least=0.85)
    for second, verdict in ((good, "pass"), (open_, "not enough cases"), (bad, "fail")):
        names = {"coverage_lesions": good, "coverage_classes": second, "coverage_normals": open_}
        if verdict == "pass":
            del names["coverage_normals"]
        assert overall(judge({"answers": names}, figures)) == verdict


@pytest.mark.parametrize(
    ("part", "metric", "limit", "reason"),
    [
        ("classification", "sensitivity", Limit(at_least=1.0), "no number of cases proves at least 1"),
        ("segmentation", "missed_lesions", Limit(at_most=0.0), "no number of cases proves at most 0"),
        ("segmentation", "hd95_px", Limit(at_most=0), "no number of cases proves"),
        ("classification", "auc", Limit(at_least=0.0), "every model keeps"),
        ("segmentation", "missed_lesions", Limit(at_most=1.0), "every model keeps"),
        ("classification", "auc", Limit(at_least=85.0), "is no value of AUC"),
        ("classification", "auc", Limit(at_least=float("nan")), "is no value of AUC"),
    ],
)
def test_limits_that_no_cases_could_prove_or_break(part, metric, limit, reason):
    assert reason in (unprovable(LIMITED[part][metric], limit) or "")


BETTER_SMALL = {
    "segmentation": {
        *("tfpr", "fpr_union", "fpr_background", "missed_lesions", "fp_rate_on_normals", "false_positive_area"),
        *(f"{name}_{unit}" for name in ("hd95", "hd95_pooled", "asd", "assd") for unit in ("px", "mm")),
    },
    "classification": {"fpr", "brier", "ece_equal_width_15", "ece_equal_mass_10"},
    "consistency": {"normal_but_drawn", "lesion_but_not_drawn"},
    "answers": {"left_open", "decided_wrongly"},
}


def test_every_metric_has_one_direction_to_limit_it():
    for part, metrics in LIMITED.items():
        for name, metric in metrics.items():
            small = name in BETTER_SMALL[part]
            assert wrong_way_round(metric, Limit(at_least=0.5)) is small, name
            assert wrong_way_round(metric, Limit(at_most=0.5)) is not small, name


def test_limits_that_cases_can_prove():
    assert unprovable(LIMITED["classification"]["mcc"], Limit(at_least=0.0)) is None
    assert unprovable(LIMITED["segmentation"]["hd95_mm"], Limit(at_most=400.0)) is None
    assert unprovable(LIMITED["classification"]["sensitivity"], Limit(at_least=0.99)) is None


@pytest.mark.parametrize("limit", [Limit(at_least=0.95), Limit(at_most=0.05)])
@pytest.mark.parametrize(("groups", "cases"), [(20, 20), (20, 50), (8, 20)])
def test_so_many_cases_without_an_error_prove_a_share_and_one_group_fewer_does_not(
    limit: Limit, groups: int, cases: int
):
    """The share may rest on fewer groups than it has cases: on patients, or on the malignant ones alone."""
    share = 1.0 if limit.at_least is not None else 0.0
    low, high = exact_interval(share, n=groups)
    worst = low if limit.at_least is not None else high
    needed = cases_needed(limit, estimate(share, (low, high), n=cases), worst=worst, is_share=True)
    continuous = math.log(0.025) / math.log(0.95)
    assert needed == math.ceil(continuous * cases / groups)
    if cases == groups:
        assert needed == 72
        assert exact_interval(1.0, n=needed)[0] >= 0.95 > exact_interval(1.0, n=needed - 1)[0]


def test_a_limit_is_one_bound():
    for wrong in ({}, {"at_least": 0.1, "at_most": 0.2}):
        with pytest.raises(ValueError, match="one of the two"):
            Limit(**wrong)
