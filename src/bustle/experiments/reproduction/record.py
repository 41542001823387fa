"""From finished runs to a table beside the paper's: every row with its figures, or why it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bustle.core.provenance import provenance
from bustle.core.published import PublishedNumber
from bustle.core.recipe import Track, load_protocol
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.reproduction import OwnFigure, ReproducedFigure, ReproducedRow, Reproduction, SweepFigure
from bustle.evaluation.result_files import read_run
from bustle.evaluation.results import RunResult
from bustle.experiments.reproduction.counted import counted_figures
from bustle.experiments.reproduction.given_data import GivenData
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.own_figures import extreme_of, own_figure, p_reference_better
from bustle.experiments.reproduction.printed_metrics import DEFAULTS, OwnMetric, own_metric
from bustle.experiments.reproduction.printed_rows import PrintedRow
from bustle.experiments.reproduction.runs import TRACKS, RowRun, Settings, Work, runs_of, work_of
from bustle.experiments.reproduction.smoke import small_form_of

Obstacles = Mapping[RowRun, str]
"""Why a run cannot be made or gone on with, such as data that lacks a class, or a loss that is not finite."""


def reproduction_of(
    item: Item, given: GivenData, *, out: Path, settings: Settings, obstacles: Obstacles, open_parts: int
) -> Reproduction:
    """Everything that is finished, the rest told as missing. `open_parts` counts the trainings that are not done."""
    protocol = load_protocol(item.section.protocol)
    read = _Runs(out)
    works = work_of(item, given)
    rows = [_row(work, works, item, read=read, settings=settings, obstacles=obstacles) for work in works]
    rows = _tested(rows, works, item)
    sweep = item.block.sweep
    return Reproduction(
        paper=item.section.paper,
        item=item.name,
        title=item.title,
        note=item.block.note,
        protocol=protocol.id,
        spread=protocol.spread,
        flaws=protocol.caveats,
        smoke=_smoke(works, settings),
        seeds=settings.seeds,
        open_parts=open_parts,
        rows=tuple(rows),
        sweep=None if sweep is None else SweepFigure(axis=sweep.axis, lines=sweep.lines),
        provenance=provenance(),
    )


def _smoke(works: Sequence[Work], settings: Settings) -> str:
    """What of the trainings is smaller; empty where all is as the recipes say."""
    if not settings.smoke:
        return ""
    recipes = [settings.recipe(recipe) for work in works if not work.row.counted for recipe in work.row.recipes]
    return "; ".join(dict.fromkeys(small_form_of(recipe) for recipe in recipes))


class _Runs:
    """The summaries of runs, each read once."""

    def __init__(self, out: Path):
        self._out = out
        self._results: dict[RowRun, RunResult | None] = {}
        self._tested: dict[RowRun, frozenset[str]] = {}

    def result(self, run: RowRun) -> RunResult | None:
        if run not in self._results:
            summary = run.layout(self._out).summary
            self._results[run] = read_run(summary) if summary.exists() else None
        return self._results[run]

    def of(self, runs: Sequence[RowRun]) -> list[RunResult]:
        """Those that are there."""
        results = [self.result(run) for run in runs]
        return [result for result in results if result is not None]

    def tested(self, run: RowRun) -> frozenset[str]:
        """The test cases of all folds that are scored."""
        if run not in self._tested:
            layout = run.layout(self._out)
            folds = read_splits(layout.splits).folds
            numbers = [fold.number for fold in layout.scored_folds()]
            self._tested[run] = frozenset(case for number in numbers for case in folds[number].test)
        return self._tested[run]


def _row(
    work: Work, works: Sequence[Work], item: Item, *, read: _Runs, settings: Settings, obstacles: Obstacles
) -> ReproducedRow:
    row = work.row
    runs = runs_of(work, item, settings=settings)
    reason = work.data if isinstance(work.data, str) else _obstacle(runs, obstacles, read=read)
    source = "" if isinstance(work.data, str) else work.data.source
    metrics = [(number, own_metric(number)) for number in row.numbers]
    if row.counted or any(metric is None for _, metric in metrics):
        published = [run for run in runs if run.track == "published"]
        trained = [read.of([run for run in published if run.recipe == recipe]) for recipe in row.recipes]
        counted = counted_figures(row, trained=trained, wanted=sum(map(settings.folds, published)))
    else:
        counted = []
    shown: list[tuple[PublishedNumber | None, OwnMetric]] = [
        (number, metric) for number, metric in metrics if metric is not None
    ]
    if not row.numbers and not row.counted and not reason:
        shown = [(None, metric) for metric in DEFAULTS]
    figures = []
    for number, metric in shown:
        own: dict[Track, OwnFigure | None] = {
            track: _own(row, metric, [run for run in runs if run.track == track], read, settings, source)
            for track in TRACKS
        }
        same_strictly = metric.is_same_by(load_protocol(item.section.protocol), load_protocol("strict"))
        figures.append(_figure(number, metric, own=own, same_strictly=same_strictly))
    return ReproducedRow(
        method=row.method,
        variant=row.variant,
        dataset=row.dataset,
        recipes=row.recipes,
        reason=reason,
        notes=tuple(_notes(work, works, item, runs, read=read, settings=settings, obstacles=obstacles)),
        figures=(*figures, *counted),
    )


def _obstacle(runs: Sequence[RowRun], obstacles: Obstacles, *, read: _Runs) -> str:
    """Why none of the runs has a figure; where some have or can get one, the notes tell of the others."""
    found = [obstacles[run] for run in runs if run in obstacles]
    return found[0] if found and len(found) == len(runs) and not read.of(runs) else ""


def _own(
    row: PrintedRow, metric: OwnMetric, runs: Sequence[RowRun], read: _Runs, settings: Settings, source: str
) -> OwnFigure | None:
    """That of the row's runs of one track."""
    figures = []
    for recipe in row.recipes:
        repeats = [run for run in runs if run.recipe == recipe]
        figures.append(
            own_figure(
                read.of(repeats),
                metric,
                source=source,
                wanted=sum(map(settings.folds, repeats)),
                repeated_splits=any(run.protocol.holdout is not None for run in repeats),
            )
        )
    if row.extreme is not None:
        return extreme_of(figures, row.extreme)
    return figures[0] if figures else None


def _figure(
    number: PublishedNumber | None, metric: OwnMetric, *, own: Mapping[Track, OwnFigure | None], same_strictly: bool
) -> ReproducedFigure:
    return ReproducedFigure(
        metric=metric.title,
        unit=metric.unit if number is None else number.unit,
        published=None if number is None else number.mean,
        published_sd=None if number is None else number.sd,
        note="" if number is None else number.note,
        as_published=own["published"],
        strict=own["strict"],
        same_strictly=same_strictly,
    )


def _notes(
    work: Work,
    works: Sequence[Work],
    item: Item,
    runs: Sequence[RowRun],
    *,
    read: _Runs,
    settings: Settings,
    obstacles: Obstacles,
) -> list[str]:
    if isinstance(work.data, str):
        return []
    notes = []
    if work.data.stands_in:
        told = work.row.dataset.removesuffix(" (private)")
        notes.append(f"{work.data.source} stands for {told}, which is private")
    elif work.beside:
        notes.append(work.beside)
    for track in TRACKS:
        own = [run for run in runs if run.track == track]
        done = sum(len(result.folds) for result in read.of(own))
        wanted = sum(map(settings.folds, own))
        title = "as published" if track == "published" else "strict"
        if done < wanted:
            notes.append(f"{title}: {done} of {wanted} trainings finished")
        notes += dict.fromkeys(f"{title}: {obstacles[run]}" for run in own if run in obstacles)
    return [*notes, *_other_cases(work, works, item, runs, read=read, settings=settings)]


def _other_cases(
    work: Work, works: Sequence[Work], item: Item, runs: Sequence[RowRun], *, read: _Runs, settings: Settings
) -> list[str]:
    """Told where a finished run tests other cases than the first finished one of the item on the same data."""
    for track in TRACKS:
        first = next(
            (
                run
                for other in works
                if not isinstance(other.data, str) and other.data == work.data
                for run in runs_of(other, item, settings=settings)
                if run.track == track and read.result(run) is not None
            ),
            None,
        )
        for run in runs:
            if first is not None and run.track == track and read.result(run) is not None:
                own, others = read.tested(run), read.tested(first)
                if own != others:
                    return [
                        f"tests other cases than {first.recipe}: {len(own)} here, {len(others)} there, "
                        f"{len(own & others)} in common"
                    ]
    return []


def _tested(rows: Sequence[ReproducedRow], works: Sequence[Work], item: Item) -> list[ReproducedRow]:
    """The rows with the test whether the paper's own method is better; as they are where a block has none."""
    if not item.block.own:
        return list(rows)
    own = item.block.named(item.block.own)
    own_rows = [row for row in rows if row.recipes == (own,)]
    references = {(row.dataset, figure.metric): figure for row in own_rows for figure in row.figures}
    higher = {number.metric: number.higher_is_better for work in works for number in work.row.numbers}
    found = []
    for row in rows:
        figures = []
        for figure in row.figures:
            reference = references.get((row.dataset, figure.metric))
            if reference is None or row.recipes == (own,):
                figures.append(figure)
            else:
                figures.append(_with_test(figure, reference, higher_is_better=higher.get(figure.metric, True)))
        found.append(replace(row, figures=tuple(figures)))
    return found


def _with_test(figure: ReproducedFigure, reference: ReproducedFigure, *, higher_is_better: bool) -> ReproducedFigure:
    def tested(first: OwnFigure | None, second: OwnFigure | None) -> OwnFigure | None:
        p = p_reference_better([first, second], higher_is_better=higher_is_better)
        return None if second is None else replace(second, p_reference_better=p)

    return replace(
        figure,
        as_published=tested(reference.as_published, figure.as_published),
        strict=tested(reference.strict, figure.strict),
    )
