"""One track of a comparison: every run against the first of them, on the cases that all tested."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.comparison import (
    Differences,
    FoldValues,
    compare_classes,
    compare_detection,
    compare_masks,
    fold_values,
    repeat_values,
    with_fold_tests,
)
from bustle.evaluation.comparison_families import RunDifferences, listed_comparisons
from bustle.evaluation.comparison_results import SharedBootstrap, SourceComparison, TrackComparison
from bustle.evaluation.metrics import CLASSIFICATION, DETECTION, SEGMENTATION
from bustle.evaluation.positive_class import positive_class
from bustle.evaluation.statistics import FEWEST_GROUPS, GroupResamples, group_count
from bustle.experiments.compared_runs import (
    ComparedRun,
    TrackResults,
    aligned_detections,
    aligned_rows,
    other_mask,
    row_keys,
)
from bustle.experiments.scored_track import DRAWN

PIXEL_METRICS = tuple(name for name, metric in (SEGMENTATION | DETECTION).items() if metric.unit == "px")


@dataclass(frozen=True, kw_only=True)
class _TrackRun:
    """One run on the track: its rows in the order of all, and by fold of each repeat.

    `classes` is empty if it only draws.
    """

    name: str
    results: TrackResults
    rows: Sequence[CaseRow]
    repeats: Sequence[Sequence[Sequence[CaseRow]]]
    classes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """What all runs tested: a case and how often it was tested before by row, and the resamples of the rows."""

    keys: Sequence[tuple[str, int]]
    resamples: GroupResamples


def compare_track(
    runs: Sequence[ComparedRun], results: Sequence[TrackResults], *, resamples: int, seed: int
) -> TrackComparison:
    """`results` are those of each of the `runs` on the track; the first is the reference."""
    keys = row_keys(results[0])
    reference, *others = (
        _TrackRun(
            name=run.name,
            results=own,
            rows=aligned_rows(own, keys),
            repeats=own.folds_of_repeats,
            classes=runs[0].classes if run.classes else (),
        )
        for run, own in zip(runs, results, strict=True)
    )
    left_out = {run.name: PIXEL_METRICS if _other_grid(reference, run) else () for run in others}
    sample = _sample(reference, keys=keys, resamples=resamples, seed=seed)
    n_groups = group_count(sample.resamples.groups)
    sources = sorted({row.source for row in reference.rows})
    protocol, classes = reference.results.protocol, reference.classes
    return TrackComparison(
        track=reference.results.track,
        protocol=protocol.id,
        spread=protocol.spread,
        resolution=protocol.resolution,
        empty_policy=protocol.empty_masks,
        classes=classes,
        positive_class=positive_class(classes, protocol=protocol) if classes else None,
        average=protocol.class_average if classes else None,
        n_cases=len({case for case, _ in keys}),
        n_tested=len(keys),
        n_groups=n_groups,
        bootstrap=SharedBootstrap(
            method="percentile, whole groups resampled, the same for all runs",
            groups=reference.results.resampled,
            resamples=resamples,
            seed=seed,
        ),
        warnings=(
            *_warnings_of_few(n_groups),
            *(warning for run in others for warning in _warnings(reference, run)),
        ),
        comparisons=listed_comparisons(
            [_compare(reference, run, sample, leave_out=left_out[run.name]) for run in others], protocol=protocol
        ),
        by_source=tuple(
            _of_source(source, reference, others, keys=keys, left_out=left_out, resamples=resamples, seed=seed)
            for source in (sources if len(sources) > 1 else ())
        ),
    )


def _sample(reference: _TrackRun, *, keys: Sequence[tuple[str, int]], resamples: int, seed: int) -> _Sample:
    groups = [row.group_id for row in reference.rows]
    return _Sample(keys=keys, resamples=GroupResamples.draw(groups, resamples=resamples, seed=seed))


def _of_source(
    source: str,
    reference: _TrackRun,
    others: Sequence[_TrackRun],
    *,
    keys: Sequence[tuple[str, int]],
    left_out: Mapping[str, Collection[str]],
    resamples: int,
    seed: int,
) -> SourceComparison:
    """The same comparison of the cases of one source, whose groups are drawn without the others'."""
    places = [place for place, row in enumerate(reference.rows) if row.source == source]
    kept = {reference.rows[place].case_id for place in places}
    first, *rest = (_restricted(run, places, kept) for run in (reference, *others))
    sample = _sample(first, keys=[keys[place] for place in places], resamples=resamples, seed=seed)
    differences = [_compare(first, run, sample, leave_out=left_out[run.name]) for run in rest]
    return SourceComparison(
        source=source,
        n_cases=len(kept),
        n_groups=group_count(sample.resamples.groups),
        comparisons=listed_comparisons(differences, protocol=reference.results.protocol),
    )


def _restricted(run: _TrackRun, places: Sequence[int], kept: Collection[str]) -> _TrackRun:
    """The run with these rows alone; a fold without any of the cases is left out."""
    repeats = [[[row for row in fold if row.case_id in kept] for fold in folds] for folds in run.repeats]
    return replace(
        run, rows=[run.rows[place] for place in places], repeats=[list(filter(None, folds)) for folds in repeats]
    )


def _warnings_of_few(n_groups: int) -> list[str]:
    if n_groups >= FEWEST_GROUPS:
        return []
    return [f"no intervals and no p: only {n_groups} groups, at least {FEWEST_GROUPS} are needed"]


def _warnings(reference: _TrackRun, run: _TrackRun) -> list[str]:
    warnings = []
    if _other_grid(reference, run):
        warnings.append(f"{run.name} was scored on another grid than {reference.name}: metrics in px are left out")
    if _partition(reference.rows) != _partition(run.rows):
        warnings.append(f"{run.name} groups the cases in another way; the groups of {reference.name} are resampled")
    return warnings


def _compare(reference: _TrackRun, run: _TrackRun, sample: _Sample, *, leave_out: Collection[str]) -> RunDifferences:
    protocol = reference.results.protocol
    masks = compare_masks(reference.rows, run.rows, resamples=sample.resamples, leave_out=leave_out)
    classes: Differences = {}
    if reference.classes and run.classes:
        classes = compare_classes(
            reference.rows, run.rows, resamples=sample.resamples, protocol=protocol, classes=reference.classes
        )
    repeated = len(reference.repeats) > 1
    (first_masks, first_classes), (own_masks, own_classes) = (_values(each, protocol) for each in (reference, run))
    masks = with_fold_tests(
        masks, catalogue=SEGMENTATION | DETECTION, reference=first_masks, other=own_masks, repeated=repeated
    )
    classes = with_fold_tests(
        classes, catalogue=CLASSIFICATION, reference=first_classes, other=own_classes, repeated=repeated
    )
    return RunDifferences(
        run=run.name,
        masks=masks,
        classes=classes,
        lesions=_compare_lesions(reference.results, run.results, sample),
    )


def _values(run: _TrackRun, protocol: Protocol) -> tuple[FoldValues, FoldValues]:
    """Of every repeat where there are several, else of every fold."""
    if len(run.repeats) > 1:
        return repeat_values(run.repeats, protocol=protocol, classes=run.classes)
    return fold_values(run.repeats[0], protocol=protocol, classes=run.classes)


def _compare_lesions(reference: TrackResults, other: TrackResults, sample: _Sample) -> Differences:
    """The lesions that were found, over the cases in which both sought them."""
    pairs = list(zip(aligned_detections(reference, sample.keys), aligned_detections(other, sample.keys), strict=True))
    sought = [(place, a, b) for place, (a, b) in enumerate(pairs) if a is not None and b is not None]
    if not sought:
        return {}
    places, first, second = zip(*sought, strict=True)
    return compare_detection(
        first,
        second,
        resamples=sample.resamples.of(places),
        threshold=DRAWN,
        n_unpaired=sum((a is None) != (b is None) for a, b in pairs),
    )


def _other_grid(reference: _TrackRun, run: _TrackRun) -> bool:
    return any(other_mask(first, second) for first, second in zip(reference.rows, run.rows, strict=True))


def _partition(rows: Sequence[CaseRow]) -> set[frozenset[int]]:
    """The groups as sets of rows, whatever they are called."""
    members: dict[str, set[int]] = {}
    for number, row in enumerate(rows):
        members.setdefault(row.group_id, set()).add(number)
    return {frozenset(group) for group in members.values()}
