"""`reliability.json`: whether probabilities and possible classes keep what they say, and what thresholds bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import LEFT_OUT_AT_DEFAULT
from bustle.core.recipe import Protocol
from bustle.evaluation.answers import promises
from bustle.evaluation.calibration import brier_parts, debiased_calibration_errors, equal_mass_bins
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.evaluation.figures import ShortFigure
from bustle.evaluation.operating_points import at_sensitivity, net_benefits, net_benefits_of_all
from bustle.evaluation.positive_class import positive_class
from bustle.evaluation.statistics import GroupResamples, group_interval
from bustle.evaluation.subgroups import LEAST_CASES, LEAST_OF_CLASS
from bustle.evaluation.summary import Scoring

FloatArray = NDArray[np.float64]

BINS = 10
SENSITIVITIES = (0.95, 0.98)
THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 41))
"""Of the decision curve: from calling a case positive at 2 % to not before 80 %."""

COVERAGES = ("coverage_lesions", "coverage_normals", "coverage_classes")


@dataclass(frozen=True, kw_only=True)
class ThresholdFigures:
    """The largest threshold with at least the sensitivity `target` on these cases, and the specificity at it.

    The threshold is sought anew in every resample, so that the intervals hold its own uncertainty, too.
    """

    target: float
    threshold: ShortFigure
    specificity: ShortFigure


@dataclass(frozen=True, kw_only=True)
class DecisionCurve:
    """Net benefit by threshold, of the probabilities and of calling every case positive; of calling none it is 0."""

    thresholds: tuple[float, ...]
    model: tuple[float, ...]
    all_positive: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ProbabilityFigures:
    """The probability of `positive_class` in `n` cases, `n_positive` of them of that class, in bins of equal mass."""

    positive_class: str
    n: int
    n_positive: int
    ece_debiased: ShortFigure
    brier_reliability: ShortFigure
    brier_resolution: ShortFigure
    brier_uncertainty: ShortFigure
    thresholds: tuple[ThresholdFigures, ...]
    decision_curve: DecisionCurve


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often the truth is among the possible answers in a part of the cases, such as a fold; None of too few."""

    kind: str
    name: str
    n: int
    coverage_lesions: ShortFigure
    coverage_normals: ShortFigure
    coverage_classes: ShortFigure


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Of the network's own probabilities, and of the answers' and their coverage where there are answers."""

    network: ProbabilityFigures | None
    answers: ProbabilityFigures | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    coverage: tuple[Coverage, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)


def reliability_of(
    rows: Sequence[CaseRow],
    answers: Sequence[CaseRow],
    *,
    kinds: Mapping[str, Mapping[str, str]],
    scoring: Scoring,
) -> Reliability:
    """From the rows of the network and those of the answers; `kinds` maps a kind to the part of each case id."""
    return Reliability(
        network=_probabilities(rows, scoring=scoring),
        answers=_probabilities(answers, scoring=scoring),
        coverage=tuple(_coverages(answers, kinds=kinds, scoring=scoring)),
    )


def _probabilities(rows: Sequence[CaseRow], *, scoring: Scoring) -> ProbabilityFigures | None:
    """None of fewer than `LEAST_OF_CLASS` cases on either side."""
    used = [row for row in rows if has_class_result(row, scoring.classes)]
    name = _positive(scoring.protocol, scoring.classes)
    truth = np.array([row.label == name for row in used], bool)
    if name is None or min(truth.sum(), (~truth).sum()) < LEAST_OF_CLASS:
        return None
    probability = np.array([row.probability(name) for row in used], np.float64)
    resamples = scoring.resample(used)
    weights = np.concatenate([np.ones((1, len(used))), resamples.weights])
    bins = equal_mass_bins(probability, BINS)
    parts = brier_parts(truth, probability, bin_of_case=bins, weights=weights)
    thresholds = np.array(THRESHOLDS)
    return ProbabilityFigures(
        positive_class=name,
        n=len(used),
        n_positive=int(truth.sum()),
        ece_debiased=_figure(
            debiased_calibration_errors(truth, probability, bin_of_case=bins, weights=weights), resamples
        ),
        brier_reliability=_figure(parts.reliability, resamples),
        brier_resolution=_figure(parts.resolution, resamples),
        brier_uncertainty=_figure(parts.uncertainty, resamples),
        thresholds=tuple(
            _threshold(truth, probability, target=target, weights=weights, resamples=resamples)
            for target in SENSITIVITIES
            if truth.sum() * (1 - target) >= 1  # else it is the lowest probability of all
        ),
        decision_curve=DecisionCurve(
            thresholds=THRESHOLDS,
            model=tuple(map(float, net_benefits(truth, probability, thresholds=thresholds))),
            all_positive=tuple(map(float, net_benefits_of_all(truth, thresholds=thresholds))),
        ),
    )


def _positive(protocol: Protocol, classes: Sequence[str]) -> str | None:
    return positive_class(classes, protocol=protocol) if classes else None


def _threshold(
    truth: NDArray[np.bool_],
    probability: FloatArray,
    *,
    target: float,
    weights: FloatArray,
    resamples: GroupResamples,
) -> ThresholdFigures:
    points = at_sensitivity(truth, probability, target=target, weights=weights)
    return ThresholdFigures(
        target=target,
        threshold=_figure(points.threshold, resamples, of=truth),
        specificity=_figure(points.specificity, resamples, of=~truth),
    )


def _figure(values: FloatArray, resamples: GroupResamples, *, of: NDArray[np.bool_] | None = None) -> ShortFigure:
    """The first value, with the interval of the others, which rests on the cases `of`, by default on all."""
    groups = resamples.groups if of is None else resamples.groups[of]
    bounds = group_interval(values[1:], groups=groups)
    return ShortFigure(value=float(values[0]), ci95=bounds, n=len(resamples.groups))


def _coverages(
    rows: Sequence[CaseRow], *, kinds: Mapping[str, Mapping[str, str]], scoring: Scoring
) -> list[Coverage]:
    found = []
    for kind, named in kinds.items():
        for name in sorted(set(named.values())):
            part = [row for row in rows if named.get(row.case_id) == name]
            if part:
                estimates = promises(part, scoring=scoring)
                shares = {each: ShortFigure.of(estimates[each], least=LEAST_CASES) for each in COVERAGES}
                found.append(Coverage(kind=kind, name=name, n=len(part), **shares))
    return found
