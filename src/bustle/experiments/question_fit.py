"""Fitting one question of a decision rule: a logistic regression, and the bounds that its answers keep."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bustle.inference.decision import Question

LEAST_CASES = 10
"""Of either answer, for a question to be asked at all."""

RIDGE = 1e-2
"""The penalty on the squared weights: keeps perfectly separated cases from infinite ones."""


def question_of(
    inputs: Sequence[Sequence[float]] | NDArray[np.float64],
    answers: Sequence[bool] | NDArray[np.bool_],
    *,
    coverage_yes: float,
    coverage_no: float,
) -> Question | None:
    """The question whose probability follows the `answers` and whose bounds have the stated coverage.

    `inputs` are `n x d`. None where one of the answers has too few cases.
    """
    truth = np.array(answers, bool)
    if min(truth.sum(), (~truth).sum()) < LEAST_CASES:
        return None
    intercept, weights = fit_logistic(np.array(inputs, np.float64), truth)
    unbounded = Question(
        intercept=intercept,
        weights=weights,
        least_yes=0.0,
        least_no=0.0,
        coverage_yes=coverage_yes,
        coverage_no=coverage_no,
        cases_yes=int(truth.sum()),
        cases_no=int((~truth).sum()),
    )
    yes = np.array([unbounded.probability(each) for each in inputs])
    bounds = {
        "least_yes": conformal_bound(yes[truth], coverage=coverage_yes),
        "least_no": conformal_bound(1 - yes[~truth], coverage=coverage_no),
    }
    return Question(**{**vars(unbounded), **bounds})


def conformal_bound(probabilities: NDArray[np.float64], *, coverage: float) -> float:
    """The bound that the probability of the true answer reaches in at least `coverage` of further cases.

    Of n cases the k-th smallest with k = floor((1 - coverage) (n + 1)); 0 where that is none, so that nothing is
    excluded.
    """
    rank = math.floor((1 - coverage) * (len(probabilities) + 1) + 1e-9)
    return float(np.sort(probabilities)[rank - 1]) if rank >= 1 else 0.0


def fit_logistic(inputs: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, tuple[float, ...]]:
    """Intercept and weights of a slightly penalised logistic regression of `truth` `n` on `inputs` `n x d`."""
    signs = np.where(truth, 1.0, -1.0)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (parameters[0] + inputs @ parameters[1:])
        slopes = -signs / (1 + np.exp(np.clip(margins, -500, 500)))
        value = np.logaddexp(0, -margins).sum() + RIDGE * (parameters[1:] ** 2).sum()
        gradient = np.concatenate([[slopes.sum()], slopes @ inputs + 2 * RIDGE * parameters[1:]])
        return float(value), gradient

    found = minimize(loss, np.zeros(inputs.shape[1] + 1), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    return float(found[0]), tuple(map(float, found[1:]))
