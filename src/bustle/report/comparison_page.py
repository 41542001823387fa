"""`report.html` of a comparison: differences with intervals and tests, plots, and every case side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.evaluation.comparison_results import Comparison, MetricComparison, TrackComparison
from bustle.evaluation.metrics import SEGMENTATION
from bustle.report.compared_cases import ComparedCase, overlap_column
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots
from bustle.report.wording import TESTS

BARS = (
    ("segmentation", "dice"),
    ("segmentation", "box_iou"),
    ("classification", "accuracy"),  # and not that of pixels
    ("classification", "auc"),
)
"""The metrics of which a bar stands for every run, as papers draw their sweeps."""

FAMILIES = {
    "masks": "Outline",
    "classes": "Class",
    "lesions": "Lesions found",
    "further masks": "Further figures of the outline",
    "further classes": "Further figures of the class",
    "further lesions": "Further figures of the lesions found",
}


class Table(NamedTuple):
    """The entries of one family of metrics, for one run."""

    title: str
    entries: list[MetricComparison]


class CaseLine(NamedTuple):
    """One tested case: its overlap by each run, the others' differences from the reference, and probabilities."""

    row: CaseRow
    values: list[float | None]
    differences: list[float | None]
    probabilities: list[float | None]


def write_comparison_page(
    path: Path,
    comparison: Comparison,
    *,
    rows: Mapping[str, Sequence[CaseRow]],
    pictured: Sequence[ComparedCase] | None = None,
) -> None:
    """`rows` are every run's of the main track, in one order; the probability of its positive class is shown.

    `pictured` are the rows of pictures, None where the images were not given.
    """
    main = comparison.tracks[0]
    column = overlap_column(rows)
    write_page(
        path,
        "comparison.html",
        comparison=comparison,
        tests=TESTS,
        tables={
            (track.track, run.name): _tables(track.of_run(run.name))
            for track in comparison.tracks
            for run in comparison.runs[1:]
        },
        source_tables={
            (track.track, run.name): [(part, _tables(part.of_run(run.name))) for part in track.by_source]
            for track in comparison.tracks
            for run in comparison.runs[1:]
        },
        plots=_plots(main, rows, column=column),
        overlap=None if column is None else SEGMENTATION[column].title,
        positive=main.positive_class,
        pictured=pictured,
        cases=_case_lines(rows, column=column, positive=main.positive_class),
    )


def _tables(own: Sequence[MetricComparison]) -> list[Table]:
    tables = [Table(title, [entry for entry in own if entry.family == family]) for family, title in FAMILIES.items()]
    return [table for table in tables if table.entries]


def _plots(track: TrackComparison, rows: Mapping[str, Sequence[CaseRow]], *, column: str | None) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report import comparison_plots as plots
    from bustle.report.plots import as_svg_uri

    (reference, first), *others = rows.items()
    found = []
    if column is not None:
        title = SEGMENTATION[column].title
        for name, own in others:
            scatter = plots.scatter_figure(first, own, column=column, title=title, names=(reference, name))
            found.append(Plot(f"{title} of every case: {name} against {reference}", as_svg_uri(scatter)))
            ordered = plots.differences_figure(first, own, column=column, title=title)
            found.append(Plot(f"{title}: {name} minus {reference}", as_svg_uri(ordered)))
    tests = [entry.tests.pooled_t for entry in track.comparisons if entry.tests.pooled_t is not None]
    over = tests[0].over if tests else "folds"
    for own_title, folds in fold_bars(track, reference=reference).items():
        figure = plots.fold_bars_figure(folds, title=own_title)
        found.append(Plot(f"{own_title}, mean and SD over {over}", as_svg_uri(figure)))
    entries = [entry for entry in track.comparisons if entry.metric == "auc"]
    if track.positive_class is not None and entries:
        areas = {reference: entries[0].reference} | {entry.run: entry.value for entry in entries}
        figure = plots.roc_curves_figure(
            {name: [row for row in rows[name] if has_class_result(row, track.classes)] for name in areas},
            positive_class=track.positive_class,
            areas=areas if track.average == "binary" else {},
        )
        found.append(Plot(f"ROC curves, {track.positive_class} is positive", as_svg_uri(figure)))
    return found


def fold_bars(track: TrackComparison, *, reference: str) -> dict[str, dict[str, tuple[float, ...]]]:
    """By title of the metric, and of the source where there are several, every run's values in its folds.

    A run of a single fold, and one that is compared with such a run, has its mean over the cases alone.
    """
    parts = [("", track.comparisons), *((f", {part.source}", part.comparisons) for part in track.by_source)]
    found = {}
    for of_source, comparisons in parts:
        for bar in BARS:
            entries = [entry for entry in comparisons if (entry.part, entry.metric) == bar]
            if entries:
                first, tests = entries[0], [entry.tests.pooled_t for entry in entries]
                folds = {reference: (first.reference,) if tests[0] is None else tests[0].reference}
                for entry, test in zip(entries, tests, strict=True):
                    folds[entry.run] = (entry.value,) if test is None else test.values
                found[f"{first.title}{of_source}"] = folds
    return found


def _case_lines(rows: Mapping[str, Sequence[CaseRow]], *, column: str | None, positive: str | None) -> list[CaseLine]:
    lines = []
    for together in zip(*rows.values(), strict=True):
        values = [None if column is None else row.value(column) for row in together]
        differences = [None if value is None or values[0] is None else value - values[0] for value in values[1:]]
        probabilities = [row.probability(positive) for row in together]
        lines.append(CaseLine(together[0], values, differences, probabilities))
    return lines
