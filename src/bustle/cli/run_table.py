"""The short table that a finished run prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.run_layout import RunLayout
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.metrics import CATALOGUES
from bustle.evaluation.results import RunResult, RunTrack
from bustle.report.wording import SPREADS, interval, mean_and_spread, number, resampled_groups

HEADLINE_DISTANCE = "hd95_px"
"""Stands for the form of HD95 that each track's protocol leads with."""
LINES = (
    ("segmentation", "dice"),
    ("segmentation", "iou"),
    ("segmentation", "box_iou"),
    ("segmentation", HEADLINE_DISTANCE),
    ("segmentation", "asd_px"),
    ("segmentation", "missed_lesions"),
    ("lesion_detection", "lesion_sensitivity"),
    ("lesion_detection", "false_positives_per_case"),
    ("lesion_detection", "cpm"),
    ("classification", "auc"),
    ("classification", "accuracy"),
    ("classification", "sensitivity"),
    ("classification", "specificity"),
)


def print_run(result: RunResult, out: Path) -> None:
    """Both tracks side by side: mean ± spread over several folds, or one fold's value with its 95 % interval."""
    tracks = result.tracks
    rows = [["", *(f"{track.track} ({track.protocol})" for track in tracks), "unit"]]
    for part, line in _lines(tracks):
        name = _in_mm(line, tracks) if line.endswith("_px") else line
        metric = CATALOGUES[part][name]
        values = [_value(track, part, name) if _leads(line, track) else None for track in tracks]
        if any(values):
            rows.append([metric.title, *(value or "-" for value in values), metric.unit])
    positive = [track.pooled.classification.positive_class for track in tracks if track.pooled.classification]
    if len(positive) == len(tracks):
        rows.append(["Positive class", *positive, ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numbers = ", ".join(str(fold.fold) for fold in result.folds)
    several = len(result.folds) > 1
    print(f"\n{result.title}: {result.pooled.n_cases} test cases of fold{'s' * several} {numbers}")
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    shown = f"95 % interval in brackets: {resampled_groups(result.pooled.n_groups)}"
    if several:
        spreads = [f"{SPREADS[track.over_folds.spread]} ({track.track})" for track in tracks]
        shown = f"mean ± {', '.join(spreads)}"
    run = RunLayout(out)
    print(f"{shown}; written to {run.summary} and {run.report}")


def _lines(tracks: Sequence[RunTrack]) -> list[tuple[str, str]]:
    """Parts and metrics; of HD95 one line for each form that a track leads with."""
    distances = dict.fromkeys(f"{track.pooled.headline_distance}_px" for track in tracks)
    return [(part, name) for part, line in LINES for name in (distances if line == HEADLINE_DISTANCE else (line,))]


def _leads(line: str, track: RunTrack) -> bool:
    """Whether the track shows the line: every one but the form of HD95 that is another protocol's."""
    return not line.startswith("hd95") or line == f"{track.pooled.headline_distance}_px"


def _in_mm(name: str, tracks: Sequence[RunTrack]) -> str:
    """The same distance in millimetres where that is known of every case that has it in pixels."""
    same = name.removesuffix("_px") + "_mm"
    parts = [track.pooled.segmentation for track in tracks if track.pooled.segmentation]
    return same if all(part[same].n == part[name].n for part in parts) else name


def _value(track: RunTrack, part: str, name: str) -> str | None:
    over_folds, pooled = track.over_folds.estimates(part), estimates_of(track.pooled, part)
    if over_folds is None or pooled is None or over_folds[name].mean is None:
        return None
    entry = over_folds[name]
    if track.over_folds.folds > 1:
        return mean_and_spread(entry)
    return f"{number(entry.mean, entry.unit)} [{interval(pooled[name].ci95, entry.unit)}]"
