"""`comparison.json` and `report.html`: several runs against the first of them, on the cases that all tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.files import make_folder, write_json
from bustle.core.provenance import provenance
from bustle.core.recipe import Protocol
from bustle.core.run_layout import ComparisonFolder, ScoredFolder
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.comparison import (
    Entries,
    add_fold_test,
    compare_classes,
    compare_detection,
    compare_masks,
    fold_values,
)
from bustle.evaluation.metrics import CLASSIFICATION, DETECTION, SEGMENTATION
from bustle.evaluation.multiplicity import holm
from bustle.evaluation.positive_class import positive_class
from bustle.evaluation.statistics import cluster_weights
from bustle.experiments.compared_runs import (
    ComparedRun,
    TrackResults,
    aligned_detections,
    aligned_rows,
    open_runs,
    other_mask,
    row_keys,
)
from bustle.experiments.scored_track import DRAWN
from bustle.report.comparison_page import write_comparison_page

PARTS = {"masks": "segmentation", "classes": "classification", "lesions": "lesion_detection"}
"""By family of metrics, the part of metrics.json."""

MAIN_CLASSES = ("auc", "accuracy", "sensitivity", "specificity")
MAIN_LESIONS = ("lesion_sensitivity", "false_positives_per_case", "cpm")
PIXEL_METRICS = tuple(name for name, metric in (SEGMENTATION | DETECTION).items() if metric.unit == "px")


def compare_runs(paths: Sequence[Path], *, out: Path, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Compare the results in the folders `paths` with the first one's and write both files into `out`.

    Returns the content of `comparison.json`. Raises `InputError` for results that cannot be compared, and for an
    `out` that holds an evaluation.
    """
    if ScoredFolder(out).main.cases.exists():
        raise InputError("holds an evaluation", remedy="choose another --out, so that its report stays", path=out)
    reference, *others = open_runs(paths)
    make_folder(out)
    tracks = [_compare_track([run.main for run in (reference, *others)], (reference, *others), resamples, seed)]
    warnings = [warning for run in (reference, *others) for warning in run.warnings]
    companions = [run.other for run in (reference, *others)]
    complete = [results for results in companions if results is not None]
    if len(complete) == len(companions):
        obstacle = _companion_obstacle(complete, reference.main)
        if obstacle is None:
            tracks.append(_compare_track(complete, (reference, *others), resamples, seed))
        else:
            warnings.append(obstacle)
    comparison = {
        "reference": reference.name,
        "runs": [
            {"name": run.name, "title": run.title, "folder": str(run.path), "folds": len(run.main.folds)}
            for run in (reference, *others)
        ],
        "warnings": warnings,
        "tracks": tracks,
        "provenance": provenance(),
    }
    write_json(ComparisonFolder(out).record, comparison)
    keys = row_keys(reference.main)
    write_comparison_page(
        ComparisonFolder(out).report,
        comparison,
        rows={run.name: aligned_rows(run.main, keys) for run in (reference, *others)},
        positive=tracks[0]["positive_class"],
    )
    return comparison


def _companion_obstacle(companions: Sequence[TrackResults], main: TrackResults) -> str | None:
    """Why the other track is not compared, None where nothing is in the way."""
    track = companions[0].track
    protocols = list(dict.fromkeys(results.protocol.id for results in companions))
    if len(protocols) > 1:
        return f"only the {main.track} track is compared: on the {track} one they follow {' and '.join(protocols)}"
    if any(set(row_keys(results)) != set(row_keys(main)) for results in companions):
        return f"only the {main.track} track is compared: the {track} one holds other cases"
    return None


def _compare_track(
    results: Sequence[TrackResults], runs: Sequence[ComparedRun], resamples: int, seed: int
) -> dict[str, Any]:
    protocol = results[0].protocol
    keys = row_keys(results[0])
    rows = [aligned_rows(each, keys) for each in results]
    ids = list(dict.fromkeys(case for case, _ in keys))
    number_of = {case: number for number, case in enumerate(ids)}
    settings = {
        "weights": cluster_weights([row.group_id for row in rows[0]], resamples=resamples, seed=seed),
        "cases": np.array([number_of[case] for case, _ in keys]),
    }
    classes = runs[0].classes
    folds = [
        fold_values(each.folds, protocol=protocol, classes=classes if run.classes else ())
        for each, run in zip(results, runs, strict=True)
    ]
    comparisons, warnings = [], []
    for run, own, own_rows, own_folds in zip(runs[1:], results[1:], rows[1:], folds[1:], strict=True):
        other_grid = any(other_mask(first, second) for first, second in zip(rows[0], own_rows, strict=True))
        leave_out = PIXEL_METRICS if other_grid else ()
        if other_grid:
            warnings.append(f"{run.name} was scored on another grid than {runs[0].name}: metrics in px are left out")
        if _partition(rows[0]) != _partition(own_rows):
            warnings.append(f"{run.name} groups the cases in another way; the groups of {runs[0].name} are resampled")
        masks = compare_masks(rows[0], own_rows, **settings, leave_out=leave_out)
        decisions: Entries = {}
        if classes and run.classes:
            decisions = compare_classes(rows[0], own_rows, **settings, protocol=protocol, classes=classes)
        for part, (catalogue, entries) in enumerate(((SEGMENTATION | DETECTION, masks), (CLASSIFICATION, decisions))):
            add_fold_test(entries, catalogue=catalogue, reference=folds[0][part], other=own_folds[part])
        comparisons += _listed(run.name, masks, family="masks", main=main_masks(masks, protocol), protocol=protocol)
        comparisons += _listed(run.name, decisions, family="classes", main=MAIN_CLASSES, protocol=protocol)
        lesions = _compare_lesions(results[0], own, keys, weights=settings["weights"])
        comparisons += _listed(run.name, lesions, family="lesions", main=MAIN_LESIONS, protocol=protocol)
    _correct(comparisons)
    return {
        "track": results[0].track,
        "protocol": protocol.id,
        "spread": protocol.spread,
        "resolution": protocol.resolution,
        "empty_policy": protocol.empty_masks,
        "classes": list(classes),
        "positive_class": positive_class(classes, protocol=protocol) if classes else None,
        "average": protocol.class_average if classes else None,
        "n_cases": len(ids),
        "n_tested": len(keys),
        "n_groups": len({row.group_id for row in rows[0]}),
        "bootstrap": {
            "method": "percentile, whole groups resampled, the same for all runs",
            "groups": results[0].resampled,
            "resamples": resamples,
            "seed": seed,
        },
        "warnings": warnings,
        "comparisons": comparisons,
    }


def _compare_lesions(
    reference: TrackResults, other: TrackResults, keys: Sequence[tuple[str, int]], *, weights: NDArray[np.float64]
) -> Entries:
    """The lesions that were found, over the cases in which both sought them."""
    pairs = list(zip(aligned_detections(reference, keys), aligned_detections(other, keys), strict=True))
    sought = [(place, a, b) for place, (a, b) in enumerate(pairs) if a is not None and b is not None]
    if not sought:
        return {}
    places, first, second = zip(*sought, strict=True)
    entries = compare_detection(first, second, weights=weights[:, places], threshold=DRAWN)
    unpaired = sum((a is None) != (b is None) for a, b in pairs)
    return {name: entry | {"n_unpaired": unpaired} for name, entry in entries.items()}


def main_masks(entries: Mapping[str, Any], protocol: Protocol) -> tuple[str, ...]:
    """The mask metrics that lead: a distance in mm where it is known for as many cases as in px."""
    distances = []
    for name in (protocol.hd95, "asd"):
        in_mm, in_px = entries.get(f"{name}_mm"), entries.get(f"{name}_px")
        physical = in_mm is not None and (in_px is None or in_mm["n"] == in_px["n"])
        distances.append(f"{name}_{'mm' if physical else 'px'}")
    return ("dice", "iou", "box_iou", *distances, "missed_lesions", "fp_rate_on_normals")


def _listed(
    run: str, entries: Entries, *, family: str, main: Sequence[str], protocol: Protocol
) -> list[dict[str, Any]]:
    """The entries as `comparison.json` lists them, each with its family and the test that leads."""
    listed = []
    for name, entry in entries.items():
        tests = entry["tests"]
        if protocol.spread == "t95" and "pooled_t" in tests:
            leading = "pooled_t"
        else:
            leading = next(test for test in ("paired_t", "delong", "bootstrap") if test in tests)
        named = {
            "run": run,
            "part": PARTS[family],
            "metric": name,
            "family": family if name in main else f"further {family}",
        }
        listed.append(named | entry | {"test": leading, "p": tests[leading]["p"]})
    return listed


def _correct(comparisons: Sequence[dict[str, Any]]) -> None:
    """Add Holm's corrected p: over all runs and metrics of a family together."""
    for family in dict.fromkeys(entry["family"] for entry in comparisons):
        members = [entry for entry in comparisons if entry["family"] == family]
        for entry, corrected in zip(members, holm([entry["p"] for entry in members]), strict=True):
            entry |= {"p_holm": corrected, "n_family": sum(member["p"] is not None for member in members)}


def _partition(rows: Sequence[CaseRow]) -> set[frozenset[int]]:
    """The groups as sets of rows, whatever they are called."""
    members: dict[str, set[int]] = {}
    for number, row in enumerate(rows):
        members.setdefault(row.group_id, set()).add(number)
    return {frozenset(group) for group in members.values()}
