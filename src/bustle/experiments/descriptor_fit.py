"""Fitting the logistic regression of measured descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.inference.descriptor_model import DescriptorModel, DescriptorTerm

Values = Mapping[str, float | None]

INNER_FOLDS = 5
MOST_STEPS = 2000
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths C of the L2 penalty; one is chosen by the log loss of inner folds of whole groups."""


def fit_descriptors(
    values: Sequence[Values],
    *,
    positive: NDArray[np.bool_],
    groups: Sequence[str],
    names: Sequence[str],
    strength: float | None = None,
) -> DescriptorModel:
    """Standardise the descriptors `names` and regress the malignant lesions (`positive`) on them.

    The `strength` is `chosen_strength`'s where none is given, which raises `InputError`.
    """
    from sklearn.linear_model import LogisticRegression

    if strength is None:
        strength = chosen_strength(values, positive=positive, groups=groups, names=names)
    standardised, mean, sd = _standardised(values, names=names)
    fitted = LogisticRegression(C=strength, max_iter=MOST_STEPS).fit(standardised, positive)
    return DescriptorModel(
        positive_class="malignant",
        intercept=float(fitted.intercept_[0]),
        terms={
            name: DescriptorTerm(mean=float(m), sd=float(s), coefficient=float(c))
            for name, m, s, c in zip(names, mean, sd, fitted.coef_[0], strict=True)
        },
    )


def chosen_strength(
    values: Sequence[Values], *, positive: NDArray[np.bool_], groups: Sequence[str], names: Sequence[str]
) -> float:
    """The one of `STRENGTHS` with the best log loss in inner folds of whole groups.

    Raises `InputError` where one of the classes has too few groups.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss, make_scorer
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    for title, chosen in (("malignant", positive), ("benign", ~positive)):
        if len({group for group, one in zip(groups, chosen, strict=True) if one}) < INNER_FOLDS:
            raise InputError(
                f"fewer than {INNER_FOLDS} groups of {title} lesions are there to learn from",
                remedy="give more data, or fewer folds",
            )
    search = GridSearchCV(
        LogisticRegression(max_iter=MOST_STEPS),
        {"C": list(STRENGTHS)},
        scoring=make_scorer(log_loss, response_method="predict_proba", greater_is_better=False, labels=[False, True]),
        cv=StratifiedGroupKFold(INNER_FOLDS),
        refit=False,
    ).fit(_standardised(values, names=names)[0], positive, groups=np.asarray(groups))
    return float(search.best_params_["C"])


def _standardised(
    values: Sequence[Values], *, names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The table `N x names`, 0 where a value is not known, with mean and standard deviation of its columns."""
    table = np.array([[np.nan if one.get(name) is None else one[name] for name in names] for one in values], float)
    known = ~np.isnan(table)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, table, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, table - mean, 0) ** 2).sum(axis=0) / count)
    sd = np.where(spread > 0, spread, 1.0)
    return np.where(known, (table - mean) / sd, 0.0), mean, sd
