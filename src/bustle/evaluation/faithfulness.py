"""How far explanation maps explain, over a set of cases: the content of `explanation.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import LEFT_OUT_AT_DEFAULT
from bustle.core.explanation import ExplanationMethod
from bustle.evaluation.figures import Estimate, Estimates
from bustle.evaluation.metrics import EXPLANATIONS
from bustle.evaluation.outline_errors import ErrorAreas
from bustle.evaluation.statistics import GroupResamples, mean_over_cases, weighted_means

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MethodCurves:
    """A method's curves `cases x fractions`, and per case its likeness to the map of a shuffled network or None."""

    deletion: FloatArray
    insertion: FloatArray
    likeness: Sequence[float] | None


@dataclass(frozen=True, kw_only=True)
class CheckedMethod:
    """What one method's maps are worth: `estimates` by the names of the catalogue `EXPLANATIONS`.

    `deletion` and `insertion` are the mean curves at the fractions of `ExplanationFigures`.
    """

    estimates: Estimates
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ExplanationFigures:
    """The check of several methods on the same cases; `random_…` are the mean curves of a random order.

    `fractions` of the pixels are blurred, or put back. `outline` is the check of the outline's uncertainty.
    """

    n_cases: int
    n_groups: int
    fractions: tuple[float, ...]
    methods: Mapping[ExplanationMethod, CheckedMethod]
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]
    outline: Estimates | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)


def explanation_figures(
    checked: Mapping[ExplanationMethod, MethodCurves],
    *,
    random: MethodCurves | None,
    fractions: FloatArray,
    groups: Sequence[str],
    outline: Sequence[ErrorAreas] = (),
    resamples: int,
    seed: int = 0,
) -> ExplanationFigures:
    """The figures over cases of these `groups`, which the intervals resample as a whole.

    `random` None: no method that explains a class was checked. `outline` holds each case's areas, where they are
    known.
    """
    resampled = GroupResamples.draw(groups, resamples=resamples, seed=seed)
    return ExplanationFigures(
        n_cases=len(groups),
        n_groups=len(set(groups)),
        fractions=tuple(map(float, fractions)),
        methods={
            method: CheckedMethod(
                estimates=_estimates(curves, random=random, fractions=fractions, resampled=resampled),
                deletion=_mean(curves.deletion),
                insertion=_mean(curves.insertion),
            )
            for method, curves in checked.items()
            if random is not None
        },
        random_deletion=() if random is None else _mean(random.deletion),
        random_insertion=() if random is None else _mean(random.insertion),
        outline=_of_outline(outline, resampled=resampled) if outline else None,
    )


def _of_outline(areas: Sequence[ErrorAreas], *, resampled: GroupResamples) -> Estimates:
    found, edge = np.array(areas, np.float64).T
    return _estimated({"error_auc": found, "error_auc_less_edge": found - edge}, resampled=resampled)


def _mean(curves: FloatArray) -> tuple[float, ...]:
    return tuple(map(float, curves.mean(axis=0)))


def _estimates(
    curves: MethodCurves, *, random: MethodCurves, fractions: FloatArray, resampled: GroupResamples
) -> Estimates:
    deletion, insertion = (_areas(each, fractions) for each in (curves.deletion, curves.insertion))
    unknown = [np.nan] * len(deletion)
    values = {
        "deletion": deletion,
        "deletion_less_random": deletion - _areas(random.deletion, fractions),
        "insertion": insertion,
        "insertion_less_random": insertion - _areas(random.insertion, fractions),
        "likeness_to_shuffled": np.array(unknown if curves.likeness is None else curves.likeness, np.float64),
    }
    return _estimated(values, resampled=resampled)


def _estimated(values: Mapping[str, FloatArray], *, resampled: GroupResamples) -> Estimates:
    means = weighted_means(np.stack([*values.values()], axis=1), weights=resampled.weights)
    return {name: _estimate(name, own, means[:, i], resampled) for i, (name, own) in enumerate(values.items())}


def _areas(curves: FloatArray, fractions: FloatArray) -> FloatArray:
    """Under each curve, by the trapezoidal rule."""
    return (curves[:, 1:] + curves[:, :-1]) @ np.diff(fractions) / 2


def _estimate(name: str, values: FloatArray, means: FloatArray, resampled: GroupResamples) -> Estimate:
    return mean_over_cases(values, groups=resampled.groups, resampled=means, metric=EXPLANATIONS[name])
