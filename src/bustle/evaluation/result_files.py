"""Reading and writing `metrics.json` and `summary.json`, strictly; files of an older form are brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.evaluation.metrics import CATALOGUES
from bustle.evaluation.results import FORMAT, RunResult, TrackResult

Result = TypeVar("Result", TrackResult, RunResult)
Upgrade = Callable[[Mapping[str, Any]], dict[str, Any]]

EVALUATE_AGAIN = "evaluate the predictions again"
NOT_FIGURES = (AttributeError, KeyError, TypeError, ValueError)
"""What completing raises of anything else than figures."""


def write_result(path: Path, result: TrackResult | RunResult) -> None:
    write_json(path, to_mapping(result))


def read_track(path: Path) -> TrackResult:
    """The content of a `metrics.json`. Raises `InputError` for a file that is no such one."""
    return _read(path, TrackResult, from_version_1=_track_of_version_1, completed=completed_scores)


def read_run(path: Path) -> RunResult:
    """The content of a `summary.json`. Raises `InputError` for a file that is no such one."""
    return _read(path, RunResult, from_version_1=_run_of_version_1, completed=completed_run)


def _read(path: Path, result_type: type[Result], *, from_version_1: Upgrade, completed: Upgrade) -> Result:
    content = read_json(path)
    version = content.get("format", 1) if isinstance(content, dict) and "track" in content else None
    if version not in (1, FORMAT):
        problem = "is not the result of an evaluation" if version is None else f"is a result of format {version}"
        raise InputError(problem, remedy=EVALUATE_AGAIN if version is None else "update bustle", path=path)
    try:
        known = completed(from_version_1(content) if version == 1 else content)
        return from_mapping(result_type, known, where=path.name)
    except (InputError, *NOT_FIGURES) as error:
        raise InputError(f"is a damaged result ({error})", remedy=EVALUATE_AGAIN, path=path) from None


def _track_of_version_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """It had no number, and at first did not say what was resampled."""
    return {"groups": None, "resampled": "groups of cases", **content, "format": FORMAT}


def _run_of_version_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """It had no number, and at first no stages."""
    return {**content, "format": FORMAT, "folds": [{"earlier_stages": {}, **fold} for fold in content["folds"]]}


def completed_run(content: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run with an entry for every metric of the parts that were scored."""
    companion = content["companion"]
    return {**_completed_track(content), "companion": None if companion is None else _completed_track(companion)}


def _completed_track(track: Mapping[str, Any]) -> dict[str, Any]:
    over_folds = track["over_folds"]
    count = over_folds["folds"]
    by_source = {name: _completed_folds(part, count) for name, part in over_folds["by_source"].items()}
    completed = {**_completed_folds(over_folds, count), "by_source": by_source}
    return {**track, "pooled": completed_scores(track["pooled"]), "over_folds": completed}


def completed_scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Metrics are added from time to time: a file from before a metric was known has no value of it."""
    completed = _completed(scores)
    for subsets in ("by_source", "by_label"):
        if subsets in scores:
            completed[subsets] = {name: _completed(part) for name, part in scores[subsets].items()}
    if scores.get("by_size"):
        strata = {name: _completed(part) for name, part in scores["by_size"]["strata"].items()}
        completed["by_size"] = {**scores["by_size"], "strata": strata}
    return completed


def _completed(part: Mapping[str, Any]) -> dict[str, Any]:
    return completed_figures({"consistency": None, **part} if "classification" in part else part)


def completed_figures(part: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a set of cases, and of their answers, with an entry for every metric that was scored.

    Raises one of `NOT_FIGURES` for anything else than figures.
    """
    completed = _with_every_metric(dict(part), nothing={"mean": None, "sd": None, "ci95": None, "n": 0})
    if completed.get("answers"):
        completed["answers"] = _completed(completed["answers"])
    return completed


def _completed_folds(part: Mapping[str, Any], count: int) -> dict[str, Any]:
    found = {"consistency": None, "lesion_detection": None, **part}
    return _with_every_metric(found, nothing={"mean": None, "sd": None, "n": 0, "folds": [None] * count})


def _with_every_metric(found: dict[str, Any], *, nothing: Mapping[str, Any]) -> dict[str, Any]:
    for name, catalogue in CATALOGUES.items():
        if found.get(name):
            empty = {metric: {**nothing, "unit": catalogue[metric].unit} for metric in catalogue}
            found[name] = empty | found[name]
    return found
