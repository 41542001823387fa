"""The figures of a report, each a matplotlib figure made from rows of `cases.csv` or of `metrics.csv`."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from bustle.evaluation.calibration import equal_mass_bins, reliability_curve
from bustle.evaluation.case_table import CaseRow, column_values
from bustle.evaluation.class_curves import precision_recall_curve, roc_curve
from bustle.evaluation.figures import DetectionFigures, SizeFigures
from bustle.evaluation.metrics import FROC_RATES
from bustle.evaluation.reliability import DecisionCurve

COLOURS = {"benign": "#2f6fb0", "malignant": "#c4512d", "normal": "#6d8a5b"}
UNKNOWN = "class unknown"
"""Stands for the class of cases without one."""

INK, SOFT, ACCENT = "#1f2a37", "#8a94a3", "#2f6fb0"
FOLD_COLOURS = ("#2f6fb0", "#c4512d", "#6d8a5b", "#8a5fa8", "#b58a1c", "#3c8f8f", "#7d7d7d")
SIZE_COLUMNS = {"mm²": "area_mm2", "mm³": "volume_mm3", "px": "area"}
"""The column of `cases.csv` with the true lesion's size, by unit."""
LEAST_RATE = 1 / 16
EDGE_INCHES = 0.042
"""What is left free around a figure."""

MOST_MARGIN = 0.4
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ee",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "bustle",
}


def empty_figure(*, height_ratios: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """A figure of a page's width and its plots, one below the other on a common x axis."""
    figure = Figure(figsize=(4.2, 3.4))
    axes = figure.subplots(len(height_ratios), 1, squeeze=False, sharex=True, height_ratios=height_ratios)
    return figure, [row[0] for row in axes]


def as_svg_uri(figure: Figure) -> str:
    """A `data:` address that holds the figure itself, as SVG."""
    return "data:image/svg+xml;base64," + base64.b64encode(as_svg(figure)).decode("ascii")


def as_svg(figure: Figure) -> bytes:
    """The content of a file."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        _make_room(figure)
        # Not `savefig`: it draws every figure once for nothing.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _make_room(figure: Figure) -> None:
    """Set the margins to what axis labels, ticks and legends take, each at most `MOST_MARGIN` of the figure.

    Matplotlib's `layout="constrained"` comes to the same for plots below each other, in more than twice the time.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()
    inner = [axes.get_window_extent(renderer) for axes in figure.axes]
    outer = [axes.get_tightbbox(renderer, for_layout_only=True) or axes.bbox for axes in figure.axes]
    pairs = list(zip(inner, outer, strict=True))
    width, height, edge = figure.bbox.width, figure.bbox.height, EDGE_INCHES * figure.dpi

    def share(taken: float, whole: float) -> float:
        return min((taken + edge) / whole, MOST_MARGIN)

    figure.subplots_adjust(
        left=share(max(plot.x0 - around.x0 for plot, around in pairs), width),
        right=1 - share(max(around.x1 - plot.x1 for plot, around in pairs), width),
        bottom=share(inner[-1].y0 - outer[-1].y0, height),
        top=1 - share(outer[0].y1 - inner[0].y1, height),
        hspace=0.1,
    )


@mpl.rc_context(STYLE)
def perturbation_figure(
    fractions: Sequence[float], curves: Mapping[str, Sequence[float]], by_chance: Sequence[float], *, what: str
) -> Figure:
    """The mean probability of the explained class as more and more of the image is `what` (such as "blurred")."""
    figure, (axes,) = empty_figure()
    axes.plot(fractions, by_chance, color=SOFT, linewidth=1.4, linestyle=(0, (4, 3)), label="random order")
    for colour, (name, values) in zip(FOLD_COLOURS, curves.items(), strict=False):
        axes.plot(fractions, values, color=colour, linewidth=2, marker="o", markersize=3, label=name)
    axes.set(xlabel=f"share of the pixels {what}", ylabel="probability of the class", xlim=(-0.02, 1.02))
    axes.legend()
    return figure


@mpl.rc_context(STYLE)
def roc_figure(positive: NDArray[np.bool_], score: NDArray[np.float64], *, name: str, area: float) -> Figure:
    """ROC curve of P(`name`), with the point of the decision at 0.5."""
    figure, (axes,) = empty_figure()
    false_rate, true_rate = roc_curve(positive, score)
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(false_rate, true_rate, color=ACCENT, linewidth=2, label=f"{name}: AUC {area:.3f}")
    decided = score >= 0.5
    at = (decided[~positive].mean(), decided[positive].mean())
    axes.plot(*at, "o", color=COLOURS["malignant"], markersize=6, label="probability 0.5")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="lower right")
    return figure


@mpl.rc_context(STYLE)
def precision_recall_figure(
    positive: NDArray[np.bool_], score: NDArray[np.float64], *, name: str, average_precision: float
) -> Figure:
    figure, (axes,) = empty_figure()
    precision, recall = precision_recall_curve(positive, score)
    axes.step(recall, precision, where="post", color=ACCENT, linewidth=2, label=f"{name}: AP {average_precision:.3f}")
    axes.axhline(positive.mean(), color=SOFT, linewidth=1, linestyle=(0, (4, 3)), label="share of positives")
    axes.set(xlabel="sensitivity (recall)", ylabel="precision (PPV)", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axes.legend(loc="lower left")
    return figure


@mpl.rc_context(STYLE)
def calibration_figure(
    positive: NDArray[np.bool_], score: NDArray[np.float64], *, name: str, error: float, bins: int = 10
) -> Figure:
    """Observed share against predicted probability in bins of equal mass, and the probabilities' histogram."""
    figure, (axes, below) = empty_figure(height_ratios=(3, 1))
    curve = reliability_curve(positive, score, bin_of_case=equal_mass_bins(score, bins))
    low, high = _wilson(curve.observed, curve.cases)
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    axes.errorbar(
        curve.predicted,
        curve.observed,
        yerr=np.clip([curve.observed - low, high - curve.observed], 0, None),
        color=ACCENT,
        linewidth=1.6,
        elinewidth=0.9,
        marker="o",
        markersize=4.5,
        label=f"ECE {error:.3f}",
    )
    axes.set(ylabel=f"observed share of {name}", ylim=(-0.03, 1.03))
    axes.legend(loc="upper left")
    edges = np.linspace(0, 1, 21)
    parts = (score[~positive], score[positive])
    below.hist(parts, bins=edges.tolist(), stacked=True, color=[SOFT, COLOURS.get(name, ACCENT)])
    below.set(xlabel=f"predicted probability of {name}", ylabel="cases", xlim=(-0.02, 1.02))
    return figure


@mpl.rc_context(STYLE)
def decision_curve_figure(curves: Mapping[str, DecisionCurve]) -> Figure:
    """Net benefit over the threshold, of each named set of probabilities, of calling all positive, and of none."""
    figure, (axes,) = empty_figure()
    axes.axhline(0, color=SOFT, linewidth=1, label="none positive")
    first = next(iter(curves.values()))
    axes.plot(
        first.thresholds, first.all_positive, color=SOFT, linewidth=1, linestyle=(0, (4, 3)), label="all positive"
    )
    for colour, (name, curve) in zip(FOLD_COLOURS, curves.items(), strict=False):
        axes.plot(curve.thresholds, curve.model, color=colour, linewidth=1.8, label=name)
    top = max(*first.all_positive, *(value for curve in curves.values() for value in curve.model))
    axes.set(xlabel="threshold on the probability", ylabel="net benefit", ylim=(-0.05, 1.1 * max(top, 0.05)))
    axes.legend(loc="upper right")
    return figure


def _wilson(share: NDArray[np.float64], cases: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % Wilson interval of a share."""
    z2 = 1.959964**2
    centre = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    half = np.sqrt(z2 * share * (1 - share) / cases + z2**2 / (4 * cases**2)) / (1 + z2 / cases)
    return centre - half, centre + half


@mpl.rc_context(STYLE)
def froc_figure(detection: DetectionFigures) -> Figure:
    """FROC curve from `lesion_detection` of `metrics.json`, with the seven rates of its mean and the working point.

    The rates are on a logarithmic axis; what lies below a sixteenth of a false positive per case stands at its left
    end.
    """
    figure, (axes,) = empty_figure()
    curve, found = detection.curve, detection.estimates
    most = max(FROC_RATES[-1] * 1.3, *curve.false_positives_per_case)
    rate = [LEAST_RATE, *(max(value, LEAST_RATE) for value in curve.false_positives_per_case), most]
    sensitivity = [0.0, *curve.sensitivity, curve.sensitivity[-1]]
    axes.plot(rate, sensitivity, drawstyle="steps-post", color=ACCENT, linewidth=2)
    read = np.array([found[f"sensitivity_at_{limit:g}"].mean for limit in FROC_RATES], np.float64)
    axes.plot(
        FROC_RATES, read, "o", color=ACCENT, markersize=4.5, label=f"mean of the seven: {found['cpm'].mean:.3f}"
    )
    at = (
        max(found["false_positives_per_case"].mean or 0.0, LEAST_RATE),
        np.float64(found["lesion_sensitivity"].mean or 0.0),
    )
    axes.plot(*at, "o", color=COLOURS["malignant"], markersize=6, label=f"working threshold {detection.threshold:g}")
    axes.set(xlabel="false positives per case", ylabel="lesions found (sensitivity)", xscale="log")
    axes.set(xlim=(LEAST_RATE * 0.9, most), ylim=(-0.02, 1.02))
    axes.set_xticks(FROC_RATES, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.legend()
    return figure


@mpl.rc_context(STYLE)
def confusion_figure(confusion: Sequence[Sequence[int]], *, classes: Sequence[str]) -> Figure:
    table = np.asarray(confusion, np.float64)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, (axes,) = empty_figure()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        text = f"{int(table[row, column])}\n{value:.0%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if value > 0.55 else INK, fontsize=11)
    ticks = range(len(classes))
    axes.set(xlabel="decided", ylabel="truth")
    axes.set_xticks(ticks, classes)
    axes.set_yticks(ticks, classes, rotation=90, va="center")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


@mpl.rc_context(STYLE)
def dice_figure(rows: Sequence[CaseRow]) -> Figure:
    """Histogram of Dice by class."""
    figure, (axes,) = empty_figure()
    by_label = _by_label(rows)
    values = [column_values(part, "dice") for part in by_label.values()]
    axes.hist(
        values,
        bins=np.linspace(0, 1, 26).tolist(),
        stacked=True,
        color=[COLOURS.get(label, SOFT) for label in by_label],
        label=list(by_label),
    )
    every = np.concatenate(values)
    axes.axvline(every.mean(), color=INK, linewidth=1.2, label=f"mean {every.mean():.3f}")
    middle = float(np.median(every))
    axes.axvline(middle, color=INK, linewidth=1.2, linestyle=(0, (2, 2)), label=f"median {middle:.3f}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="Dice", ylabel="cases", xlim=(-0.02, 1.02))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


@mpl.rc_context(STYLE)
def size_histogram_figure(rows: Sequence[CaseRow], *, strata: SizeFigures) -> Figure:
    """How many cases have a true lesion of which area or volume, by class, with the borders of the size strata."""
    figure, (axes,) = empty_figure()
    by_label = _by_label([row for row in rows if row.area])
    values = [column_values(part, SIZE_COLUMNS[strata.unit]) for part in by_label.values()]
    every = np.concatenate(values)
    axes.hist(
        values,
        bins=np.geomspace(np.nanmin(every) / 1.05, np.nanmax(every) * 1.05, 21).tolist(),
        stacked=True,
        color=[COLOURS.get(label, SOFT) for label in by_label],
        label=list(by_label),
    )
    _mark_strata(axes, strata)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylabel="cases")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


@mpl.rc_context(STYLE)
def size_figure(rows: Sequence[CaseRow], *, strata: SizeFigures) -> Figure:
    """Dice against the true lesion's area or volume, with the borders of the size strata."""
    column = SIZE_COLUMNS[strata.unit]
    figure, (axes,) = empty_figure()
    for label, part in _by_label([row for row in rows if row.area]).items():
        axes.plot(
            column_values(part, column),
            column_values(part, "dice"),
            "o",
            markersize=3.2,
            alpha=0.65,
            markeredgewidth=0,
            color=COLOURS.get(label, SOFT),
            label=label,
        )
    _mark_strata(axes, strata)
    axes.set(ylabel="Dice", ylim=(-0.03, 1.03))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


def _mark_strata(axes: Axes, strata: SizeFigures) -> None:
    """Sizes across, on a logarithmic scale, with as few numbers as stand beside each other also within a decade."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 100 else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.10g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for border in strata.borders:
        axes.axvline(border, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    what = "volume" if strata.unit == "mm³" else "area"
    axes.set_xlabel(f"true lesion {what}, {strata.unit} ({' | '.join(strata.strata)})")


def _by_label(rows: Sequence[CaseRow]) -> dict[str, list[CaseRow]]:
    scored = [row for row in rows if row.dice is not None]
    labels = sorted({row.label or UNKNOWN for row in scored})
    return {label: [row for row in scored if (row.label or UNKNOWN) == label] for label in labels}


@mpl.rc_context(STYLE)
def curves_figure(histories: Mapping[str, Sequence[Mapping[str, float | None]]], *, columns: Sequence[str]) -> Figure:
    """Up to three columns of `metrics.csv` over the epochs: a colour per fold, a line style per column."""
    figure, (axes,) = empty_figure()
    styles = dict(zip(columns, ("-", (0, (3, 2)), (0, (1, 1))), strict=False))
    colours = {fold: FOLD_COLOURS[number % len(FOLD_COLOURS)] for number, fold in enumerate(histories)}
    for fold, rows in histories.items():
        for column, style in styles.items():
            points = [(row["epoch"], row[column]) for row in rows if row.get(column) is not None]
            if points:
                epochs, values = zip(*points, strict=True)
                axes.plot(epochs, values, color=colours[fold], linewidth=1.5, linestyle=style)
    handles = [Line2D([], [], color=INK, linestyle=style, label=column) for column, style in styles.items()]
    if len(histories) > 1:
        handles += [Line2D([], [], color=colour, linewidth=3, label=fold) for fold, colour in colours.items()]
    axes.set(xlabel="epoch")
    longest = max(len(str(handle.get_label())) for handle in handles)
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4 if longest <= 10 else 2)
    return figure
