"""Checks a model's explanation maps on annotated cases, and draws some of them for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bustle.core.explanation import MEANINGS, ExplanationMethod
from bustle.core.progress import progress
from bustle.core.types import Case
from bustle.drawing.heat import draw_explanation
from bustle.evaluation.faithfulness import MethodCurves, explanation_figures
from bustle.experiments.predict import picture_of_case
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
    """Deletion, insertion and parameter randomisation of methods that explain classes and that the model offers.

    A volume is checked in the patch about its largest true lesion where that is known. `group_of` are the groups, by
    case id, that the intervals resample.
    """
    chosen = [cases[round(place)] for place in np.linspace(0, len(cases) - 1, min(MOST_CASES, len(cases)))]
    check = predictor.explanation_check()
    found, shown = [], []
    for number, case in enumerate(progress(chosen, description="check explanations", unit="case")):
        picture = picture_of_case(case, located=predictor.data.needs_place)
        item = Item(picture.name, picture.image, picture.geometry, picture.centre)
        (prediction,) = predictor.predict_many([item])
        found.append(check.of_case(prediction, picture.image, methods=methods, number=number))
        if number < SHOWN:
            explained = predictor.explained(prediction, picture.image, methods=methods)
            pictures = {
                MEANINGS[one.method].title: draw_explanation(picture.image, explained, one)
                for one in explained.explanations
            }
            shown.append(ExplainedCase(case.case_id, case.label, explained.explanations[0].class_name, pictures))
    curves: dict[ExplanationMethod, MethodCurves] = {}
    for method in methods:
        each = [one.methods[method] for one in found]
        curves[method] = _curves([one.curves for one in each], likeness=[one.likeness for one in each])
    figures = explanation_figures(
        curves,
        random=_curves([one.random for one in found], likeness=()),
        fractions=FRACTIONS,
        groups=[group_of.get(case.case_id, case.case_id) for case in chosen],
        resamples=resamples,
    )
    return ReportedExplanations(figures, shown)


def _curves(curves: Sequence[Curves], *, likeness: Iterable[float | None]) -> MethodCurves:
    known = [value for value in likeness if value is not None]
    deletion, insertion = (np.stack(each) for each in zip(*curves, strict=True))
    return MethodCurves(deletion, insertion, known or None)
