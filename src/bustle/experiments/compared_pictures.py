"""The pixels of the cases that a comparison shows in rows: read again, with what every run drew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bustle.core.errors import InputError
from bustle.core.types import Case
from bustle.evaluation.case_table import CaseRow
from bustle.experiments.compared_runs import ComparedRun
from bustle.experiments.gallery_pictures import shown_case
from bustle.experiments.scored_pairs import Pair, PredictionIndex
from bustle.inference.prediction_files import prediction_folder
from bustle.inference.stored_prediction import StoredPrediction
from bustle.report.compared_cases import ComparedCase, most_different, overlap_column, own_picture, run_picture
from bustle.report.gallery import ShownImage


def compared_pictures(
    runs: Sequence[ComparedRun],
    *,
    keys: Sequence[tuple[str, int]],
    rows: Mapping[str, Sequence[CaseRow]],
    cases: Sequence[Case],
) -> list[ComparedCase]:
    """A row of pictures for each of the cases on which the runs differ most; `rows` are every run's by `keys`.

    Raises `InputError` where the data (`cases`) lack a case or show it at another size than it was predicted.
    """
    by_id = {case.case_id: case for case in cases}
    column = overlap_column(rows)
    if column is None:
        return []
    pictured = []
    for place in most_different(rows):
        case = by_id.get(keys[place][0])
        if case is None:
            raise InputError(
                f"the data hold no case '{keys[place][0]}'", remedy="give --data as it was when the runs were scored"
            )
        together = {name: own[place] for name, own in rows.items()}
        pictured.append(_pictured(case, runs, key=keys[place], rows=together, column=column))
    return pictured


def _pictured(
    case: Case, runs: Sequence[ComparedRun], *, key: tuple[str, int], rows: Mapping[str, CaseRow], column: str
) -> ComparedCase:
    first = rows[runs[0].name]
    pair = Pair(case, case.load(), StoredPrediction(segmentation=None))
    with_truth = shown_case(first, pair)
    pictures = []
    if isinstance(with_truth, ShownImage):
        pictures.append(own_picture("image", dataclasses.replace(with_truth, truth=None)))
    pictures.append(own_picture("truth", with_truth))
    for run in runs:
        drawn = _predicted(run, pair, key=key)
        shown = None if drawn is None else shown_case(rows[run.name], drawn)
        pictures.append(run_picture(run.name, rows[run.name], column=column, shown=shown))
    return ComparedCase(case.case_id, first.label, with_truth.wide, pictures)


def _predicted(run: ComparedRun, pair: Pair, *, key: tuple[str, int]) -> Pair | None:
    """The case as the run predicted it; None where the run keeps no prediction of it."""
    directory = run.predictions.get(key)
    if directory is None:
        return None
    folder = prediction_folder(directory, pair.case.case_id)
    if not folder.is_dir():
        return None
    return pair.predicted_by(PredictionIndex(directory, {pair.case.case_id: folder}, {}, ()))
