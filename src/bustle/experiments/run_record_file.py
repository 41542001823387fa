"""Reading and writing `results/RUN.json`: a `RunRecord` on one line, its rows as columns, no figure told twice.

What is left out can be had from the rest exactly: names that every row would repeat (`bustle.core.columns`), what
figures repeat among themselves (`bustle.evaluation.compact_figures`), and of a fold's figures those that are the
same, to the last digit, as the run's over all cases. In a run of one fold not all are: a fold is scored before its
cases are rounded to the digits of `cases.csv`, and a run is summed up from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bustle.core.columns import columns_of_rows, rows_of_columns
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import compact_json, read_json, write_text
from bustle.evaluation.compact_figures import compact_figures, difference, full_figures, with_difference
from bustle.evaluation.result_files import completed_run, completed_scores
from bustle.experiments.run_record import FORMAT, RunRecord

ADD_AGAIN = "restore it, or add its run again with `bustle results add`"

Plain = Mapping[str, Any]


def write_record(path: Path, record: RunRecord) -> None:
    compact = _converted(to_mapping(record), rows=columns_of_rows, figures=compact_figures)
    write_text(path, compact_json(_with_fold_scores(compact, _beside_the_run)))


def read_record(path: Path) -> RunRecord:
    """Raises `InputError` for a file that is no such one, is damaged or of another format."""
    content = read_json(path)
    if not isinstance(content, dict) or not content.keys() >= {"format", "splits", "folds"}:
        raise InputError("is not the file of a run", remedy="name one that `bustle results add` wrote", path=path)
    if content["format"] != FORMAT:
        raise InputError(f"is a run's file of format {content['format']}", remedy="update bustle", path=path)
    try:
        compact = _with_fold_scores(content, _by_themselves)
        full = _converted(compact, rows=rows_of_columns, figures=full_figures)
        return from_mapping(RunRecord, _completed(full), where=path.name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # while the compact form is unfolded
        raise InputError(f"is damaged ({type(error).__name__}: {error})", remedy=ADD_AGAIN, path=path) from None
    except InputError as error:
        raise InputError(f"is damaged ({error})", remedy=ADD_AGAIN, path=path) from None


def _converted(content: Plain, *, rows: Callable[[Any], Any], figures: Callable[[Any], Any]) -> dict[str, Any]:
    """The same content with every table of rows, and all figures, in another form."""

    def track(part: Plain | None) -> dict[str, Any] | None:
        if part is None:
            return None
        tables = {name: rows(part[name]) for name in ("cases", "detected")}
        return {**part, **tables, "scores": figures(part["scores"])}

    def fold(part: Plain) -> dict[str, Any]:
        tracks = {name: track(part[name]) for name in ("main", "companion")}
        earlier = {name: rows(curve) for name, curve in part["earlier_stages"].items()}
        return {**part, **tracks, "history": rows(part["history"]), "earlier_stages": earlier}

    return {**content, "result": figures(content["result"]), "folds": [fold(part) for part in content["folds"]]}


def _completed(content: Plain) -> dict[str, Any]:
    """With an entry for every metric that was not known yet when the file was written."""

    def fold(part: Plain) -> dict[str, Any]:
        tracks = {name: part[name] for name in ("main", "companion") if part[name] is not None}
        return {**part, **{name: {**own, "scores": completed_scores(own["scores"])} for name, own in tracks.items()}}

    folds = [fold(part) for part in content["folds"]]
    return {**content, "result": completed_run(content["result"]), "folds": folds}


def _with_fold_scores(content: Plain, form: Callable[[Plain, Plain], Plain]) -> dict[str, Any]:
    """The same content with what `form` makes of every fold's scores and those of the run on the same track."""
    result = content["result"]
    of_run = {"main": result["pooled"], "companion": (result["companion"] or {}).get("pooled", {})}
    folds = []
    for fold in content["folds"]:
        tracks = {name: fold[name] and dict(fold[name]) for name in of_run}
        for name, track in tracks.items():
            if track:
                track["scores"] = form(track["scores"], of_run[name])
        folds.append({**fold, **tracks})
    return {**content, "folds": folds}


def _beside_the_run(scores: Plain, of_run: Plain) -> Plain:
    found = difference(scores, of_run)
    return scores if found is None else found


def _by_themselves(scores: Plain, of_run: Plain) -> Plain:
    """The track is the run's, so that only scores which are not told as a difference name it."""
    return scores if "track" in scores else with_difference(scores, of_run)
