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

EVALUATE_AGAIN = "evaluate the predictions again"


def write_result(path: Path, result: TrackResult | RunResult) -> None:
    write_json(path, to_mapping(result))


def read_track(path: Path) -> TrackResult:
    """The content of a `metrics.json`. Raises `InputError` for a file that is no such one."""
    return _read(path, TrackResult, from_version_1=_track_of_version_1)


def read_run(path: Path) -> RunResult:
    """The content of a `summary.json`. Raises `InputError` for a file that is no such one."""
    return _read(path, RunResult, from_version_1=_run_of_version_1)


def _read(
    path: Path, result_type: type[Result], *, from_version_1: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Result:
    content = read_json(path)
    version = content.get("format", 1) if isinstance(content, dict) and "track" in content else None
    if version not in (1, FORMAT):
        problem = "is not the result of an evaluation" if version is None else f"is a result of format {version}"
        raise InputError(problem, remedy=EVALUATE_AGAIN if version is None else "update bustle", path=path)
    try:
        return from_mapping(result_type, from_version_1(content) if version == 1 else content, where=path.name)
    except (AttributeError, KeyError, TypeError) as error:  # an upgrade that meets something else than it knows
        raise InputError(f"is a damaged result ({error})", remedy=EVALUATE_AGAIN, path=path) from None
    except InputError as error:
        raise InputError(f"is a damaged result ({error})", remedy=EVALUATE_AGAIN, path=path) from None


def _track_of_version_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """It had no number, and grew: metrics that it did not know yet have no value."""
    known = {"groups": None, "resampled": "groups of cases", **content}
    return scores_of_version_1(known) | {"format": FORMAT}


def _run_of_version_1(content: Mapping[str, Any]) -> dict[str, Any]:
    companion = content["companion"]
    return {
        **content,
        **_run_track_of_version_1(content),
        "format": FORMAT,
        "folds": [{"earlier_stages": {}, **fold} for fold in content["folds"]],
        "companion": companion and {**companion, **_run_track_of_version_1(companion)},
    }


def _run_track_of_version_1(track: Mapping[str, Any]) -> dict[str, Any]:
    over_folds = track["over_folds"]
    count = over_folds["folds"]
    return {
        "pooled": scores_of_version_1(track["pooled"]),
        "over_folds": _folds_of_version_1(over_folds, count)
        | {"by_source": {name: _folds_of_version_1(part, count) for name, part in over_folds["by_source"].items()}},
    }


def scores_of_version_1(scores: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one track, also as a package keeps them."""
    upgraded = _completed(scores)
    for subsets in ("by_source", "by_label"):
        if subsets in scores:
            upgraded[subsets] = {name: _completed(part) for name, part in scores[subsets].items()}
    if scores.get("by_size"):
        strata = {name: _completed(part) for name, part in scores["by_size"]["strata"].items()}
        upgraded["by_size"] = {**scores["by_size"], "strata": strata}
    return upgraded


def _completed(part: Mapping[str, Any]) -> dict[str, Any]:
    """With an entry without a value for every metric that is missing from a part that was scored."""
    found = dict(part)
    if "classification" in part:
        found.setdefault("consistency", None)
    for name, catalogue in CATALOGUES.items():
        if found.get(name):
            nothing = {"mean": None, "sd": None, "ci95": None, "n": 0}
            found[name] = {metric: {**nothing, "unit": catalogue[metric].unit} for metric in catalogue} | found[name]
    return found


def _folds_of_version_1(part: Mapping[str, Any], count: int) -> dict[str, Any]:
    found = {"consistency": None, "lesion_detection": None, **part}
    for name, catalogue in CATALOGUES.items():
        if found.get(name):
            nothing = {"mean": None, "sd": None, "n": 0, "folds": [None] * count}
            found[name] = {metric: {**nothing, "unit": catalogue[metric].unit} for metric in catalogue} | found[name]
    return found
