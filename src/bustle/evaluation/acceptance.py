"""Whether figures prove that a model keeps limits: pass, fail, or not enough cases to tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bustle.evaluation.classification import share_metrics
from bustle.evaluation.figures import Estimate, Estimates
from bustle.evaluation.metrics import ANSWERS, CATALOGUES, Metric

Verdict = Literal["pass", "fail", "not enough cases"]

_PARTS = ("segmentation", "classification", "consistency")
LIMITED = {name: CATALOGUES[name] for name in _PARTS} | {"answers": ANSWERS}
"""The parts of an evaluation that can have limits, and their metrics."""

BOUNDED_UNITS = ("fraction", "correlation")
"""Units of which 1 is the most."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a figure must be: `at_least` or `at_most`, one of the two, in the metric's unit."""

    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs at_least or at_most, one of the two")

    @property
    def bound(self) -> float:
        bound = self.at_most if self.at_least is None else self.at_least
        assert bound is not None, "checked above"
        return bound

    def __str__(self) -> str:
        return f"at {'most' if self.at_least is None else 'least'} {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A limit of the metric `part`.`metric`, its figure, and the verdict with what would change it."""

    part: str
    metric: str
    limit: Limit
    estimate: Estimate
    verdict: Verdict
    remark: str


def wrong_way_round(metric: Metric, limit: Limit) -> bool:
    """Whether the limit asks for a bad figure: at least so much of what is better small, or the reverse."""
    return metric.higher_is_better != (limit.at_least is not None)


def unprovable(metric: Metric, limit: Limit) -> str | None:
    """Why no number of cases could prove the limit, or nothing could break it; None where cases can tell.

    The limit is not `wrong_way_round`.
    """
    most = 1.0 if metric.unit in BOUNDED_UNITS else math.inf
    least = -1.0 if metric.unit == "correlation" else 0.0
    bound = limit.bound
    if not math.isfinite(bound) or not least <= bound <= most:
        return f"{bound:g} is no value of {metric.title}"
    asks_for_perfection = bound >= most if limit.at_least is not None else bound <= least
    if asks_for_perfection:
        return (
            f"no number of cases proves {limit}: with every one right, the interval still ends "
            f"{'below' if limit.at_least is not None else 'above'} {bound:g}"
        )
    if (bound <= least) if limit.at_least is not None else (bound >= most):
        return f"every model keeps {limit}"
    return None


def judge(limits: Mapping[str, Mapping[str, Limit]], figures: Mapping[str, Estimates | None]) -> list[Judged]:
    """Every limit by part and metric, against the figures by part; a part that was not scored has no cases."""
    found = []
    for part, metrics in limits.items():
        estimates = figures.get(part)
        for name, limit in metrics.items():
            metric = LIMITED[part][name]
            absent = Estimate(mean=None, sd=None, ci95=None, n=0, unit=metric.unit)
            estimate = absent if estimates is None else estimates[name]
            verdict, remark = _verdict(limit, estimate, is_share=metric.is_share or name in share_metrics("binary"))
            found.append(
                Judged(part=part, metric=name, limit=limit, estimate=estimate, verdict=verdict, remark=remark)
            )
    return found


def overall(judged: list[Judged]) -> Verdict:
    """Fail if any limit is broken, else not enough cases if any cannot be told."""
    verdicts = {each.verdict for each in judged}
    if "fail" in verdicts:
        return "fail"
    return "not enough cases" if "not enough cases" in verdicts else "pass"


def _verdict(limit: Limit, estimate: Estimate, *, is_share: bool) -> tuple[Verdict, str]:
    """By the whole 95 % interval: it keeps the limit, breaks it, or holds it."""
    if estimate.mean is None or estimate.n == 0:
        return "not enough cases", "no case counts in this figure"
    if estimate.ci95 is None:
        return "not enough cases", "too few independent cases for an interval"
    low, high = estimate.ci95
    sign = 1 if limit.at_least is not None else -1
    worst, best = (low, high) if sign > 0 else (high, low)
    if sign * worst >= sign * limit.bound:
        return "pass", ""
    if sign * best < sign * limit.bound:
        return "fail", ""
    kept = sign * estimate.mean >= sign * limit.bound
    if not kept:
        return "not enough cases", "the figure itself is beyond the limit; its interval is not"
    needed = cases_needed(limit, estimate, worst=worst, is_share=is_share)
    return "not enough cases", f"about {needed:,} cases would tell, if the figure stays as it is"


def cases_needed(limit: Limit, estimate: Estimate, *, worst: float, is_share: bool) -> int:
    """How many cases bring the interval's bad end to the limit: it shrinks as one over the root of their number.

    A share without any error has the exact bound .025^(1/g) of the g groups on which it rests, such as the malignant
    patients: log(worst) / log(limit) times as many bring it to the limit, and with them as many times the cases.
    """
    assert estimate.mean is not None
    perfect = estimate.mean == (1.0 if limit.at_least is not None else 0.0)
    if is_share and perfect:
        right, known = (limit.bound, worst) if limit.at_least is not None else (1 - limit.bound, 1 - worst)
        return math.ceil(estimate.n * math.log(known) / math.log(right) - 1e-9)
    gap = abs(estimate.mean - limit.bound)
    if gap == 0:
        return 10**6
    return math.ceil(estimate.n * (abs(worst - estimate.mean) / gap) ** 2)
