"""The figures of a comparison, each made from the rows of two or more methods on the same cases in the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bustle.evaluation.case_table import CaseRow, column_values
from bustle.evaluation.class_curves import roc_curve
from bustle.report.plots import ACCENT, COLOURS, FOLD_COLOURS, INK, SOFT, STYLE, UNKNOWN, empty_figure


@mpl.rc_context(STYLE)
def scatter_figure(
    reference: Sequence[CaseRow], other: Sequence[CaseRow], *, column: str, title: str, names: tuple[str, str]
) -> Figure:
    """One dot per case: the reference's value across, the other's upwards, with the line where both are equal."""
    figure, (axes,) = empty_figure()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    across, upwards = column_values(reference, column), column_values(other, column)
    label_of = np.array([row.label or UNKNOWN for row in reference])
    paired = ~np.isnan(across) & ~np.isnan(upwards)
    for label in sorted(set(label_of[paired].tolist())):
        shown = paired & (label_of == label)
        axes.plot(
            across[shown],
            upwards[shown],
            "o",
            markersize=3.4,
            alpha=0.6,
            markeredgewidth=0,
            color=COLOURS.get(label, SOFT),
            label=label,
        )
    axes.set(xlabel=f"{title}, {names[0]}", ylabel=f"{title}, {names[1]}", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


@mpl.rc_context(STYLE)
def differences_figure(reference: Sequence[CaseRow], other: Sequence[CaseRow], *, column: str, title: str) -> Figure:
    """Every case's difference, from the largest loss to the largest gain."""
    figure, (axes,) = empty_figure()
    differences = column_values(other, column) - column_values(reference, column)
    differences = np.sort(differences[~np.isnan(differences)])
    edges = np.arange(len(differences) + 1) + 0.5
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    axes.stairs(np.maximum(differences, 0), edges, fill=True, color=ACCENT)
    axes.stairs(np.minimum(differences, 0), edges, fill=True, color=COLOURS["malignant"])
    axes.axhline(0, color=INK, linewidth=0.8)
    mean = float(differences.mean())
    axes.axhline(mean, color=INK, linewidth=1.2, linestyle=(0, (2, 2)), label=f"mean {mean:+.3f}")
    axes.set(xlabel=f"cases in order: {worse} worse, {better} better", ylabel=f"difference of {title}")
    axes.legend(loc="upper left")
    return figure


@mpl.rc_context(STYLE)
def fold_bars_figure(folds: Mapping[str, Sequence[float]], *, title: str) -> Figure:
    """A bar for each run: the mean over its folds, and their standard deviation (ddof 1) where there are several."""
    figure, (axes,) = empty_figure()
    means = [float(np.mean(values)) for values in folds.values()]
    spreads = [float(np.std(values, ddof=1)) if len(values) > 1 else np.nan for values in folds.values()]
    place = np.arange(len(folds))
    axes.bar(place, means, yerr=spreads, width=0.65, color=ACCENT, ecolor=INK, capsize=3)
    axes.set_xticks(place, list(folds), rotation=30, ha="right", fontsize=8)
    axes.set(ylabel=title)
    return figure


@mpl.rc_context(STYLE)
def roc_curves_figure(
    rows: Mapping[str, Sequence[CaseRow]], *, positive_class: str, areas: Mapping[str, float | None]
) -> Figure:
    """The ROC curves of all methods in one picture; every row has a class result."""
    figure, (axes,) = empty_figure()
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    for number, (name, own) in enumerate(rows.items()):
        outcome = np.array([row.label == positive_class for row in own])
        score = np.array([row.probability(positive_class) for row in own], np.float64)
        false_rate, true_rate = roc_curve(outcome, score)
        area = areas.get(name)
        label = name if area is None else f"{name}: AUC {area:.3f}"
        colour = FOLD_COLOURS[number % len(FOLD_COLOURS)]
        axes.plot(false_rate, true_rate, color=colour, linewidth=1.8, label=label)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right")
    return figure
