"""`comparison.json` and `report.html`: several runs against the first of them, on the cases that all tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.claimed_output import claim_folder
from bustle.core.paths import place_in_results
from bustle.core.provenance import provenance
from bustle.core.run_layout import ComparisonFolder
from bustle.core.types import Case
from bustle.evaluation.comparison_results import Comparison, RunSummary, write_comparison
from bustle.experiments.compared_pictures import compared_pictures
from bustle.experiments.compared_runs import (
    ComparedRun,
    Repeats,
    TrackResults,
    aligned_rows,
    open_runs,
    paths_of,
    row_keys,
)
from bustle.experiments.compared_track import compare_track
from bustle.experiments.own_outputs import COMPARISON
from bustle.report.comparison_page import write_comparison_page


def compare_runs(
    runs: Sequence[Repeats],
    *,
    out: Path,
    cases: Sequence[Case] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare the results of the `runs` with the first one's and write both files into `out`.

    With the `cases` that were tested, the report shows in rows what every run drew of those on which they differ
    most. Returns the content of `comparison.json`. Raises `InputError` for results that cannot be compared, and for
    an `out` that holds anything else than an earlier comparison.
    """
    with claim_folder(out, COMPARISON) as claim:
        results = [path for run in runs for path in paths_of(run)]
        claim.refuse_inputs([*results, *(file for case in cases or () for file in case.files)])
        claim.refuse_foreign()
        opened = open_runs(runs)
        comparison = _compared(opened, resamples=resamples, seed=seed)
        keys = row_keys(opened[0].main)
        rows = {run.name: aligned_rows(run.main, keys) for run in opened}
        pictured = None if cases is None else compared_pictures(opened, keys=keys, rows=rows, cases=cases)
        claim.begin(clear=True)
        write_comparison_page(ComparisonFolder(out).report, comparison, rows=rows, pictured=pictured)
        write_comparison(ComparisonFolder(out).record, comparison)
    return comparison


def _compared(runs: Sequence[ComparedRun], *, resamples: int, seed: int) -> Comparison:
    reference = runs[0]
    tracks = [compare_track(runs, [run.main for run in runs], resamples=resamples, seed=seed)]
    warnings = [warning for run in runs for warning in run.warnings]
    companions = [run.other for run in runs if run.other is not None]
    if len(companions) == len(runs):
        obstacle = _companion_obstacle(companions, reference.main)
        if obstacle is None:
            tracks.append(compare_track(runs, companions, resamples=resamples, seed=seed))
        else:
            warnings.append(obstacle)
    return Comparison(
        reference=reference.name,
        runs=tuple(
            RunSummary(
                name=run.name,
                title=run.title,
                folder=place_in_results(run.path),
                folds=len(run.main.folds),
                repeats=run.main.repeats,
            )
            for run in runs
        ),
        warnings=tuple(warnings),
        tracks=tuple(tracks),
        provenance=provenance(),
    )


def _companion_obstacle(companions: Sequence[TrackResults], main: TrackResults) -> str | None:
    """Why the other track is not compared, None where nothing is in the way."""
    track = companions[0].track
    protocols = list(dict.fromkeys(results.protocol.id for results in companions))
    if len(protocols) > 1:
        return f"only the {main.track} track is compared: on the {track} one they follow {' and '.join(protocols)}"
    if any(set(row_keys(results)) != set(row_keys(main)) for results in companions):
        return f"only the {main.track} track is compared: the {track} one holds other cases"
    return None
