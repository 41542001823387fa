"""Checks a model's explanation maps on annotated cases, and draws some of them for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bustle.core.explanation import MEANINGS, UNCERTAINTY, ExplanationMethod
from bustle.core.progress import progress
from bustle.core.types import Case, Prediction
from bustle.drawing.heat import draw_explanation
from bustle.evaluation.faithfulness import MethodCurves, explanation_figures
from bustle.evaluation.outline_errors import ErrorAreas, error_areas
from bustle.experiments.predict import picture_of_case
from bustle.experiments.scored_pairs import true_mask
from bustle.inference.explanation.check import FRACTIONS, Curves
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor
from bustle.report.explanations import ExplainedCase, ReportedExplanations

MOST_CASES = 60
"""So many are checked, evenly spread over what is given: each takes a hundred passes of the network."""

SHOWN = 6
"""So many are drawn."""


def check_explanations(
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    methods: Sequence[ExplanationMethod],
    group_of: Mapping[str, str],
    resamples: int,
) -> ReportedExplanations:
    """The check of maps that the model offers: of a class by deletion, insertion and shuffled weights.

    Of the outline's uncertainty, by the pixels that are outlined wrongly, on annotated images. A volume is checked in
    the patch about its largest true lesion where that is known. `group_of` are the groups, by case id, that the
    intervals resample.
    """
    chosen = [cases[round(place)] for place in np.linspace(0, len(cases) - 1, min(MOST_CASES, len(cases)))]
    of_class: list[ExplanationMethod] = [method for method in methods if MEANINGS[method].of_class]
    check = predictor.explanation_check() if of_class else None
    found, areas, shown = [], [], []
    for number, case in enumerate(progress(chosen, description="check explanations", unit="case")):
        picture = picture_of_case(case, located=predictor.data.needs_place)
        item = Item(picture.name, picture.image, picture.geometry, picture.centre)
        (prediction,) = predictor.predict_many([item])
        if check is not None:
            found.append(check.of_case(prediction, picture.image, methods=of_class, number=number))
        wanted: list[ExplanationMethod] = [method for method in methods if number < SHOWN or method == UNCERTAINTY]
        if not wanted:
            continue
        explained = predictor.explained(prediction, picture.image, methods=wanted)
        if number < SHOWN:
            shown.append(_explained_case(case, picture.image, explained))
        if UNCERTAINTY in methods:
            areas.append(_error_areas(case, explained))
    curves: dict[ExplanationMethod, MethodCurves] = {}
    for method in of_class:
        each = [one.methods[method] for one in found]
        curves[method] = _curves([one.curves for one in each], likeness=[one.likeness for one in each])
    figures = explanation_figures(
        curves,
        random=_curves([one.random for one in found], likeness=()) if of_class else None,
        fractions=FRACTIONS,
        groups=[group_of.get(case.case_id, case.case_id) for case in chosen],
        outline=areas,
        resamples=resamples,
    )
    return ReportedExplanations(figures, shown)


def _explained_case(case: Case, image: NDArray[np.uint8], explained: Prediction) -> ExplainedCase:
    pictures = {}
    for one in explained.explanations:
        title = MEANINGS[one.method].title
        title = title if one.class_name is None else f"{title} for {one.class_name}"
        pictures[title] = draw_explanation(image, explained, one)
    return ExplainedCase(case.case_id, case.label, pictures)


def _error_areas(case: Case, explained: Prediction) -> ErrorAreas:
    """NaN of a case without a true outline."""
    (uncertainty,) = (one.values for one in explained.explanations if one.method == UNCERTAINTY)
    truth, drawn = true_mask(case.load()), explained.segmentation
    if truth is None:
        return ErrorAreas(np.nan, np.nan)
    assert drawn is not None, "a model that offers such a map outlines"
    return error_areas(uncertainty, drawn=drawn.mask, truth=truth)


def _curves(curves: Sequence[Curves], *, likeness: Iterable[float | None]) -> MethodCurves:
    known = [value for value in likeness if value is not None]
    deletion, insertion = (np.stack(each) for each in zip(*curves, strict=True))
    return MethodCurves(deletion, insertion, known or None)
