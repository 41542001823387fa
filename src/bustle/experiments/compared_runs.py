"""Reading the results of a run or an evaluation for a comparison, and refusing what cannot be compared."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, get_args

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Track, load_protocol
from bustle.core.run_layout import RunLayout, ScoredFolder, TrackFiles, named_run
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.result_files import read_run, read_track
from bustle.evaluation.results import RunTrack
from bustle.experiments.run_record import RunRecord, TrackRecord
from bustle.experiments.run_record_file import read_record
from bustle.experiments.scored_fold import read_scored

T = TypeVar("T")

Repeats = Path | Sequence[Path]
"""One run, or several of one method that differ in their seeds."""


@dataclass(frozen=True, kw_only=True)
class TrackResults:
    """The scored cases of one track, fold by fold; an evaluation is a single fold. `resampled`: what a group is.

    `folds` are those of all `repeats`, one after the other.
    `detected` has the cases in which lesions were sought, which may be none.
    """

    track: str
    protocol: Protocol
    folds: tuple[list[CaseRow], ...]
    detected: tuple[DetectedCase, ...]
    resampled: str
    repeats: int = 1

    @property
    def folds_of_repeats(self) -> list[tuple[list[CaseRow], ...]]:
        each = len(self.folds) // self.repeats
        return [self.folds[start : start + each] for start in range(0, len(self.folds), each)]

    @property
    def rows(self) -> list[CaseRow]:
        return [row for fold in self.folds for row in fold]


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One RUN of the command line. `other` is the companion track, None where not every fold has it.

    `predictions` are the folders in which the main track's predictions lie, by the keys of its rows; of a run that
    keeps none, or that was kept as one file, there are none.
    """

    name: str
    path: Path
    title: str
    main: TrackResults
    other: TrackResults | None
    predictions: Mapping[tuple[str, int], Path]
    warnings: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes it gives probabilities of; empty for a method that only draws."""
        rows = self.main.rows
        known = tuple(rows[0].probabilities)
        return known if any(has_class_result(row, known) for row in rows) else ()


def paths_of(run: Repeats) -> list[Path]:
    return [run] if isinstance(run, Path) else list(run)


def open_runs(given: Sequence[Repeats]) -> list[ComparedRun]:
    """Read the results; the first is the reference, with whose test cases and rules all others must agree.

    Raises `InputError` for what is no result, and for one on other cases, another track, protocol or classes.
    """
    if len(given) < 2:
        raise InputError("a comparison needs at least two runs", remedy="name two or more")
    names = iter(_names([path for run in given for path in paths_of(run)]))
    runs = [_joined([_open_run(path, next(names)) for path in paths_of(run)]) for run in given]
    for run in runs[1:]:
        _check_comparable(runs[0], run)
    return runs


def aligned_rows(results: TrackResults, keys: Sequence[tuple[str, int]]) -> list[CaseRow]:
    """The rows in the order of `keys`, pairs of a case id and how often that case was tested before."""
    found = _by_key(results)
    return [found[key] for key in keys]


def row_keys(results: TrackResults) -> list[tuple[str, int]]:
    return list(_by_key(results))


def aligned_detections(results: TrackResults, keys: Sequence[tuple[str, int]]) -> list[DetectedCase | None]:
    """What was found in the cases of `keys`, None where lesions were not sought."""
    found = _numbered((case.case_id, case) for case in results.detected)
    return [found.get(key) for key in keys]


def _by_key(results: TrackResults) -> dict[tuple[str, int], CaseRow]:
    return _numbered((row.case_id, row) for row in results.rows)


def _numbered(entries: Iterable[tuple[str, T]]) -> dict[tuple[str, int], T]:
    """By case id and how often it came before."""
    seen: Counter[str] = Counter()
    found = {}
    for case_id, entry in entries:
        found[case_id, seen[case_id]] = entry
        seen[case_id] += 1
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """The names of the folders and files, as far as they differ, else with the folders in which they differ."""
    resolved = [path.resolve() for path in paths]
    for path, count in Counter(resolved).items():
        if count > 1:
            raise InputError("is named twice", remedy="name every run once", path=path)
    folds = [named_run(path).fold for path in paths]
    names = [
        (path.stem if path.is_file() else path.name) if fold is None else f"{fold.path.parent.name}/{fold.name}"
        for path, fold in zip(resolved, folds, strict=True)
    ]
    if len(set(names)) == len(names):
        return names
    shared = os.path.commonpath(resolved)
    return [path.relative_to(shared).as_posix() for path in resolved]


def _open_run(path: Path, name: str) -> ComparedRun:
    if path.is_file():
        return _of_record(read_record(path), path=path, name=name)
    if not path.is_dir():
        raise InputError("is no folder", remedy="name a run, one fold of it, or the results of evaluate", path=path)
    run = RunLayout(path)
    folders, warnings = [ScoredFolder(path)], ()
    if not folders[0].main.cases.exists():
        folds = run.folds()
        folders = [fold for fold in folds if fold.is_scored]
        unscored = [str(fold.number) for fold in folds if not fold.is_scored]
        if not folders:
            unfinished = folds or run.is_run
            raise InputError(
                "holds no scored fold" if unfinished else "holds neither a run nor an evaluation",
                remedy="finish the run" if unfinished else "name a run, one fold of it, or the results of evaluate",
                path=path,
            )
        if unscored:
            warnings = (f"{name}: fold {', '.join(unscored)} is not scored yet and does not count",)
    main = _track_results([folder.main for folder in folders])
    (other,) = (track for track in get_args(Track) if track != main.track)
    companions = [folder.companion(other) for folder in folders]
    complete = all(files.complete for files in companions)
    return ComparedRun(
        name=name,
        path=path,
        title=_title(run, folders),
        main=main,
        other=_track_results(companions) if complete else None,
        predictions=_predictions(folders, main),
        warnings=warnings,
    )


def _joined(repeats: Sequence[ComparedRun]) -> ComparedRun:
    """The repeats as one run, whose cases were tested once more by each."""
    first, *others = repeats
    if not others:
        return first
    for run in others:
        _check_comparable(first, run)
        if run.title != first.title:
            raise InputError(
                f"is '{run.title}', no repeat of '{first.title}'",
                remedy="join repeats of one method by commas, and name other methods apart",
                path=run.path,
            )
        if len(run.main.folds) != len(first.main.folds):
            raise InputError(f"has other folds than {first.name}", remedy="repeat with the same folds", path=run.path)
    companions = [run.other for run in repeats if run.other is not None]
    keyed = ((case, run.predictions.get((case, times))) for run in repeats for case, times in row_keys(run.main))
    return ComparedRun(
        name=f"{first.name} ({len(repeats)} repeats)",
        path=first.path,
        title=first.title,
        main=_joined_track([run.main for run in repeats]),
        other=_joined_track(companions) if len(companions) == len(repeats) else None,
        predictions={key: path for key, path in _numbered(keyed).items() if path is not None},
        warnings=tuple(warning for run in repeats for warning in run.warnings),
    )


def _joined_track(repeats: Sequence[TrackResults]) -> TrackResults:
    return replace(
        repeats[0],
        folds=tuple(fold for each in repeats for fold in each.folds),
        detected=tuple(case for each in repeats for case in each.detected),
        repeats=len(repeats),
    )


def _of_record(record: RunRecord, *, path: Path, name: str) -> ComparedRun:
    """A run that was kept as one file."""
    resampled = "; ".join(dict.fromkeys(fold.circumstances.resampled for fold in record.folds))
    companions = [fold.companion for fold in record.folds if fold.companion is not None and fold.companion.cases]
    other = None
    if record.result.companion is not None and len(companions) == len(record.folds):
        other = _recorded_track(record.result.companion, companions, resampled=resampled)
    main = _recorded_track(record.result, [fold.main for fold in record.folds], resampled=resampled)
    title = record.result.title
    return ComparedRun(name=name, path=path, title=title, main=main, other=other, predictions={}, warnings=())


def _recorded_track(rules: RunTrack, folds: Sequence[TrackRecord], *, resampled: str) -> TrackResults:
    return TrackResults(
        track=rules.track,
        protocol=load_protocol(rules.protocol),
        folds=tuple(list(fold.cases) for fold in folds),
        detected=tuple(case for fold in folds for case in fold.detected),
        resampled=resampled,
    )


def _predictions(folders: Sequence[ScoredFolder], main: TrackResults) -> dict[tuple[str, int], Path]:
    """By row, where its prediction is; a protocol that tells the place of a lesion scored a set of its own."""
    located = main.protocol.located
    sets = [(folder.predictions(located=located), folder.predictions(located=not located)) for folder in folders]
    found = [next((path for path in both if path.is_dir()), None) for both in sets]
    listed = _numbered((row.case_id, path) for path, rows in zip(found, main.folds, strict=True) for row in rows)
    return {key: path for key, path in listed.items() if path is not None}


def _title(run: RunLayout, folders: Sequence[ScoredFolder]) -> str:
    return read_run(run.summary).title if run.summary.exists() else read_track(folders[0].main.metrics).title


def _track_results(files: Sequence[TrackFiles]) -> TrackResults:
    scored = [read_scored(each) for each in files]
    first, *others = results = [each.result for each in scored]
    for each, result in zip(files[1:], others, strict=True):
        if (result.track, result.protocol) != (first.track, first.protocol):
            raise InputError(
                "follows other rules than the folds before it", remedy="evaluate again", path=each.metrics
            )
    return TrackResults(
        track=first.track,
        protocol=load_protocol(first.protocol),
        folds=tuple(list(each.cases) for each in scored),
        detected=tuple(case for each in scored for case in each.detected),
        resampled="; ".join(dict.fromkeys(result.resampled for result in results)),
    )


def _check_comparable(reference: ComparedRun, run: ComparedRun) -> None:
    here, there = run.main, reference.main
    if (here.track, here.protocol.id) != (there.track, there.protocol.id):
        raise InputError(
            f"is scored on {_rules(here)}, {reference.name} on {_rules(there)}",
            remedy="train or evaluate both with the same --track and --protocol",
            path=run.path,
        )
    tested, expected = row_keys(here), row_keys(there)
    if set(tested) != set(expected):
        ids, expected_ids = {case for case, _ in tested}, {case for case, _ in expected}
        raise InputError(
            "tests the same cases, but not equally often"
            if ids == expected_ids
            else f"tests other cases than {reference.name}: {len(ids)} here, {len(expected_ids)} there, "
            f"{len(ids & expected_ids)} in common",
            remedy="compare as many repeats of each"
            if ids == expected_ids
            else "compare results on the same test cases, such as single folds RUN/fold-K",
            path=run.path,
        )
    if reference.classes and run.classes and set(reference.classes) != set(run.classes):
        raise InputError(
            f"tells {', '.join(run.classes)} apart, {reference.name} {', '.join(reference.classes)}",
            remedy="compare methods with the same classes",
            path=run.path,
        )
    pairs = list(zip(aligned_rows(there, expected), aligned_rows(here, expected), strict=True))
    other_truth = sum(first.label != second.label for first, second in pairs)
    if here.protocol.resolution == "native":
        other_truth += sum(first.label == second.label and other_mask(first, second) for first, second in pairs)
    if other_truth:
        raise InputError(
            f"was scored against another truth than {reference.name} in {other_truth} cases",
            remedy="evaluate both on the same data",
            path=run.path,
        )


def other_mask(first: CaseRow, second: CaseRow) -> bool:
    """Whether the true masks certainly differ: they have another area."""
    areas = (first.area, second.area)
    return None not in areas and areas[0] != areas[1]


def _rules(results: TrackResults) -> str:
    return "strict rules" if results.track == "strict" else f"the published rules of {results.protocol.id}"
