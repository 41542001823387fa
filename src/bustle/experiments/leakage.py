"""`bustle study leakage`: how much each flaw of published protocols is worth, measured on the same cases and seeds.

Two flaws need trainings of their own: images split as if they were independent, which divides patients and copies of
one frame, and the epoch chosen on the test fold. The others are the same predictions scored in another way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.claimed_output import claim_folder
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, write_json
from bustle.core.progress import announce
from bustle.core.provenance import provenance
from bustle.core.recipe import Recipe, load_protocol
from bustle.core.run_layout import RunLayout, ScoredFolder
from bustle.core.types import Collection
from bustle.evaluation.case_table import CaseRow, read_cases
from bustle.evaluation.flaws import SCORING_FLAWS, ScoredRows, ScoringFlaw
from bustle.evaluation.inflation import FlawResult, Inflation, Judged, LeakageStudy, by_positive, inflations
from bustle.evaluation.result_files import read_track
from bustle.experiments.leakage_arms import ARMS, STRICT, splits_of
from bustle.experiments.own_outputs import LEAKAGE, LEAKAGE_PAGE, LEAKAGE_RECORD
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.study_runs import companion_rows, pooled_rows, trained
from bustle.report.leakage_page import write_leakage_page


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """The strictly scored `rows` of all test cases of one training, and the `folders` that hold them."""

    rows: Sequence[CaseRow]
    folders: Sequence[ScoredFolder]


def study_leakage(
    collections: Mapping[str, Collection],
    *,
    recipe: Recipe,
    out: Path,
    folds: int,
    seeds: Sequence[int],
    device: str = "auto",
) -> LeakageStudy:
    """Train and score what is missing of every data set by name, then write `leakage.json` and its page into `out`.

    Finished trainings are kept, a begun one goes on after its last epoch. The record is written anew after every
    data set and seed, so that an interrupted study has the figures of what is finished. Raises `InputError` for data
    that cannot be split, where nothing of `seeds` is asked for, and where what is there is of another recipe or data.
    """
    if not seeds:
        raise InputError("no seed is given", remedy="give --seeds 0")
    with claim_folder(out, LEAKAGE) as claim:
        claim.refuse_foreign()
        claim.refuse_inputs([file for each in collections.values() for case in each.cases for file in case.files])
        claim.begin(clear=False)
        for seed in seeds:
            for source, collection in collections.items():
                for name in ARMS:
                    announce(f"bustle: {source}, seed {seed}: {ARMS[name].title}")
                    splits = splits_of(ARMS[name], collection, folds=folds, seed=seed, data=recipe.data)
                    path, split = run_of(out, source, seed=seed, arm=name).path, SplitChoice(made=splits)
                    trained(recipe, collection=collection, out=path, split=split, seed=seed, device=device)
                _record(collections, recipe=recipe, out=out, folds=folds, seeds=seeds)
        return _record(collections, recipe=recipe, out=out, folds=folds, seeds=seeds)


def run_of(out: Path, source: str, *, seed: int, arm: str) -> RunLayout:
    return RunLayout(out / source / f"seed-{seed}" / arm)


def _record(
    collections: Mapping[str, Collection], *, recipe: Recipe, out: Path, folds: int, seeds: Sequence[int]
) -> LeakageStudy:
    """Write the record of all data sets and seeds of which every arm is finished."""
    results = []
    for source, collection in collections.items():
        finished = [
            seed for seed in seeds if all(run_of(out, source, seed=seed, arm=arm).summary.exists() for arm in ARMS)
        ]
        if finished:
            runs = {arm: [run_of(out, source, seed=seed, arm=arm) for seed in finished] for arm in ARMS}
            results += _results(source, runs, classes=recipe.data.classes, several=several_masks(collection))
    study = LeakageStudy(
        recipe=recipe.id,
        epochs=recipe.training.epochs,
        size=tuple(recipe.data.size),
        folds=folds,
        seeds=tuple(seeds),
        results=tuple(results),
        provenance=provenance(),
    )
    _write(out, study)
    return study


def several_masks(collection: Collection) -> frozenset[str]:
    return frozenset(case.case_id for case in collection.cases if case.mask_files > 1)


def _results(
    source: str, runs: Mapping[str, Sequence[RunLayout]], *, classes: Sequence[str], several: frozenset[str]
) -> list[FlawResult]:
    """Of the arms, and of the flawed scoring of the strict one, each against the strict arm."""
    repeats = {
        arm: [Repeat(rows=pooled_rows(run), folders=run.scored_folds()) for run in own] for arm, own in runs.items()
    }
    strict = repeats[STRICT]
    found = []
    for arm, own in repeats.items():
        if arm != STRICT:
            flaw = SCORING_FLAWS["all_scoring"] if arm == "all" else SCORING_FLAWS["none"]
            figures = _figures(strict, own, flaw=flaw, classes=classes, several=several)
            found.append(FlawResult(source=source, flaw=arm, title=ARMS[arm].title, trained=True, figures=figures))
    return [*found, *scoring_results(source, strict, classes=classes, several=several)]


def scoring_results(
    source: str, repeats: Sequence[Repeat], *, classes: Sequence[str], several: frozenset[str]
) -> list[FlawResult]:
    """What the flaws of the scoring do to finished results."""
    found = []
    for name, flaw in SCORING_FLAWS.items():
        figures = _figures(repeats, repeats, flaw=flaw, classes=classes, several=several)
        if figures and name != "none":
            found.append(FlawResult(source=source, flaw=name, title=flaw.title, trained=False, figures=figures))
    return found


def _figures(
    strict: Sequence[Repeat],
    others: Sequence[Repeat],
    *,
    flaw: ScoringFlaw,
    classes: Sequence[str],
    several: frozenset[str],
) -> tuple[Inflation, ...]:
    """The strict repeats as they are against the others with a flawed scoring; nothing where that is not possible."""
    protocol = load_protocol("strict")
    group_of = {row.case_id: row.group_id for repeat in strict for row in repeat.rows}
    flawed = []
    for repeat in others:
        on_grid = {row.case_id: row for folder in repeat.folders for row in companion_rows(folder)}
        read = flaw.rows(ScoredRows(native=repeat.rows, on_grid=on_grid, several_masks=several))
        if read is None:
            return ()
        rows = [row for row in read if row.case_id in group_of]
        flawed.append(Judged(rows=rows, protocol=by_positive(protocol, flaw.positive_class)))
    native = [Judged(rows=repeat.rows, protocol=protocol) for repeat in strict]
    return tuple(inflations(native, flawed, group_of=group_of, classes=classes))


def rescored(folders: Sequence[Path], *, collection: Collection, out: Path) -> LeakageStudy:
    """Only the flaws of scoring, of finished results of `bustle evaluate`, written as by `study_leakage`.

    The data tells which images have several masks. Raises `InputError` for a folder without strict results, two of
    one name, and an `out` with trainings.
    """
    names = [folder.resolve().name for folder in folders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two results are called {twice}", remedy="give folders of different names to --scored")
    several = several_masks(collection)
    with claim_folder(out, LEAKAGE) as claim:
        claim.refuse_foreign()
        claim.refuse_inputs(folders)
        _refuse_trainings(out)
        results = []
        for name, folder in zip(names, folders, strict=True):
            repeats = [_finished(folder)]
            classes = tuple(repeats[0].rows[0].probabilities)
            results += scoring_results(name, repeats, classes=classes, several=several)
        study = LeakageStudy(
            recipe=None, epochs=None, size=None, folds=None, seeds=(), results=tuple(results), provenance=provenance()
        )
        claim.begin(clear=False)
        _write(out, study)
    return study


def _refuse_trainings(out: Path) -> None:
    """Raises `InputError` for the record of a study that trained, which took hours."""
    record = out / LEAKAGE_RECORD
    content = read_json(record) if record.exists() else None
    if isinstance(content, dict) and content.get("recipe") is not None:
        raise InputError("is the record of a study with trainings", remedy="choose another --out", path=record)


def _finished(folder: Path) -> Repeat:
    """The cases of a finished evaluation by the strict track. Raises `InputError` for anything else."""
    scored = ScoredFolder(folder)
    if not scored.main.complete:
        raise InputError("holds no finished evaluation", remedy="give the --out of `bustle evaluate`", path=folder)
    track = read_track(scored.main.metrics).track
    if track != "strict":
        raise InputError(
            f"was evaluated by the {track} track", remedy="evaluate it again with --track strict", path=folder
        )
    rows = read_cases(scored.main.cases)
    if not rows:
        raise InputError("holds no case", remedy="evaluate it again", path=scored.main.cases)
    return Repeat(rows=rows, folders=[scored])


def _write(out: Path, study: LeakageStudy) -> None:
    write_json(out / LEAKAGE_RECORD, to_mapping(study))
    write_leakage_page(out / LEAKAGE_PAGE, study)
