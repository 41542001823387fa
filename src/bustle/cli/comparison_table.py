"""The short tables that a comparison prints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bustle.evaluation.comparison_results import Comparison, MetricComparison, TrackComparison
from bustle.report.wording import NOTHING, TESTS, interval, number, p_value, signed_number

HEADER: tuple[str, ...] = (
    "",
    "unit",
    "better",
    "reference",
    "run",
    "difference",
    "95 % interval",
    "p",
    "Holm p",
    "test",
    "n",
)


def print_comparison(comparison: Comparison) -> None:
    """Per track and run the main metrics, of all cases and of every source; the further ones stand in the files."""
    for warning in (*comparison.warnings, *(text for track in comparison.tracks for text in track.warnings)):
        print(f"warning: {warning}")
    for track in comparison.tracks:
        for run in comparison.runs[1:]:
            _print_run(comparison.reference, run.name, track)
            for part in track.by_source:
                print(f"\n{part.source} alone: {part.n_cases} cases in {part.n_groups} groups")
                _print_entries(part.of_run(run.name))


def _print_run(reference: str, run: str, track: TrackComparison) -> None:
    rules = track.track if track.track == track.protocol else f"{track.track}, {track.protocol}"
    positive = f", {track.positive_class} is positive" if track.positive_class else ""
    print(f"\n{run} minus {reference} ({rules}): {track.n_cases} cases in {track.n_groups} groups{positive}")
    _print_entries(track.of_run(run))


def _print_entries(entries: Sequence[MetricComparison]) -> None:
    main = [entry for entry in entries if not entry.family.startswith("further")]
    tests = [entry.tests.pooled_t for entry in entries if entry.tests.pooled_t is not None]
    over = tests[0].over if tests else "folds"
    beside = any(entry.tests.pooled_t is not None and entry.test != "pooled_t" for entry in entries)
    header, further = list(HEADER), []
    if beside:
        header, further = [*header, f"p of {over}"], [_p_of_folds]
    if over == "repeats":
        header, further = [*header, "reference, 95 % of repeats", "run, 95 % of repeats"], [*further, *OF_REPEATS]
    rows = [tuple(header), *((*_cells(entry), *(cell(entry) for cell in further)) for entry in main)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _cells(entry: MetricComparison) -> tuple[str, ...]:
    return (
        entry.title,
        entry.unit,
        entry.better,
        number(entry.reference, entry.unit),
        number(entry.value, entry.unit),
        signed_number(entry.difference, entry.unit),
        interval(entry.ci95, entry.unit),
        p_value(entry.p),
        p_value(entry.p_holm),
        TESTS[entry.test],
        str(entry.n),
    )


def _of_repeats(entry: MetricComparison, *, reference: bool) -> str:
    test = entry.tests.pooled_t
    return NOTHING if test is None else interval(test.reference_ci95 if reference else test.values_ci95, entry.unit)


OF_REPEATS = (partial(_of_repeats, reference=True), partial(_of_repeats, reference=False))


def _p_of_folds(entry: MetricComparison) -> str:
    return p_value(None if entry.tests.pooled_t is None else entry.tests.pooled_t.p)
