"""The part of an evaluation's page on explanation maps: how far they explain, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.explanation import MEANINGS, UNCERTAINTY
from bustle.evaluation.faithfulness import ExplanationFigures
from bustle.evaluation.figures import Estimates
from bustle.evaluation.metrics import EXPLANATIONS
from bustle.report.gallery import as_jpeg_uri, narrowed
from bustle.report.page_plots import Plot, can_draw_plots


@dataclass(frozen=True)
class ExplainedCase:
    """A case with its true `label`, and pictures `3 H W` of its maps by what they show."""

    case_id: str
    label: str | None
    pictures: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class ReportedExplanations:
    """The figures of all checked cases, and some of them to look at."""

    figures: ExplanationFigures
    shown: Sequence[ExplainedCase]


def explanations_content(reported: ReportedExplanations | None) -> dict[str, Any] | None:
    """What the page's template needs; None without explanations."""
    if reported is None:
        return None
    return {
        "figures": reported.figures,
        "metrics": EXPLANATIONS,
        "checked": _checked(reported.figures),
        "plots": _plots(reported.figures),
        "gallery": [
            (one, [(title, as_jpeg_uri(narrowed(picture))) for title, picture in one.pictures.items()])
            for one in reported.shown
        ],
    }


def _checked(figures: ExplanationFigures) -> list[tuple[str, Estimates]]:
    """The title of each method, and its figures."""
    found = [(MEANINGS[method].title, checked.estimates) for method, checked in figures.methods.items()]
    return found if figures.outline is None else [*found, (MEANINGS[UNCERTAINTY].title, figures.outline)]


def _plots(figures: ExplanationFigures) -> list[Plot]:
    if not figures.methods or not can_draw_plots():
        return []
    from bustle.report import plots

    drawn = {
        "Deletion": ("blurred", {m: one.deletion for m, one in figures.methods.items()}, figures.random_deletion),
        "Insertion": ("put back", {m: one.insertion for m, one in figures.methods.items()}, figures.random_insertion),
    }
    return [
        Plot(title, plots.as_svg_uri(plots.perturbation_figure(figures.fractions, curves, by_chance, what=what)))
        for title, (what, curves, by_chance) in drawn.items()
    ]
