"""A whole sweep: its split, its trials, and the best of them as a recipe.

The epoch of each training and the best trial are chosen on one fold's validation part. No trial is given the fold's
test part, which stays for the one training that comes after.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.files import read_json, remove_file, sha256_of_file, write_json, write_text
from bustle.core.progress import announce
from bustle.core.recipe import Recipe, load_recipe, save_recipe
from bustle.core.run_provenance import Fingerprint, MeasuredForm
from bustle.core.tracks import both_tracks
from bustle.core.types import Collection
from bustle.data.prepared.cache import CaseCache
from bustle.data.splits.split_file import read_splits, write_splits
from bustle.experiments.engines.engine import Engine, LocalEngine, Shown
from bustle.experiments.initial_weights import weights_of
from bustle.experiments.own_outputs import SWEEP
from bustle.experiments.planned_run import PlannedRun, SplitChoice, plan_run
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.run_folder import data_fingerprints
from bustle.experiments.sweep.space import (
    Dimension,
    check_space,
    combinations,
    is_finite,
    number_of_settings,
    with_values,
)
from bustle.experiments.sweep.trial_training import TrialTraining
from bustle.experiments.sweep.trials import SweepLayout, Trial


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The content of `sweep.json`: what all trials share."""

    space: tuple[Dimension, ...]
    fold: int
    seeds: int
    pruned: bool
    form: MeasuredForm
    data: dict[str, Fingerprint]
    init_sha256: str | None


_OPTIONS = {
    "space": "--over",
    "fold": "--fold",
    "seeds": "--seeds",
    "pruned": "--no-pruning",
    "form": "--set training",
    "data": "--data",
    "init_sha256": "--init",
}
"""By which option a person chooses each of the settings."""


@dataclass(frozen=True, kw_only=True)
class SweepSummary:
    """The content of `summary.json`: the trials, best first, then those without a score.

    `monitor` is what the scores are; a loss has its sign changed, so that the highest is best.
    """

    title: str
    monitor: Any
    fold: int
    seeds: int
    validation_cases: int
    trials: tuple[Trial, ...]


def run_sweep(
    recipe: Recipe,
    *,
    load_data: Callable[[], Collection],
    out: Path,
    space: Sequence[Dimension],
    trials: int | None,
    split: SplitChoice,
    fold: int = 0,
    seeds: int = 1,
    prune: bool = True,
    resume: bool = False,
    device: str = "auto",
    init: Path | None = None,
    engine: Engine = LocalEngine(),  # noqa: B008  (it holds nothing)
) -> SweepSummary:
    """Train `trials` sets of values from `space` (None: every combination) on one fold, each with `seeds` seeds.

    No two are the same: where `space` has no more than `trials`, each is trained once.

    With `prune` a trial is given up whose curve stays below the median. `resume` goes on after the last finished
    epoch of each trial and may ask for more trials. Raises `InputError` for wrong input, a protocol without a
    validation part of its own, another sweep in `out`, and where all trials fail.
    """
    from bustle.training.checks import check_init, check_recipe, choose_device
    from bustle.training.determinism import keeping_random_state

    layout, space = SweepLayout(out), tuple(space)
    check_recipe(recipe)
    check_space(recipe, space)
    choose_device(device, precision=recipe.training.precision)
    rules = both_tracks(split.track, published=split.published_protocol or recipe.protocol)
    protocol = rules.main.protocol
    if protocol.validation not in ("inner", "fold"):
        raise InputError(
            f"the protocol '{protocol.id}' has no validation part beside its test part, which must not choose",
            remedy="use --track strict",
        )
    count = _count(space, trials)
    with keeping_random_state(), claim_folder(out, SWEEP) as claim:
        claim.refuse_foreign()
        if layout.settings.exists() and not resume:
            raise InputError("holds a sweep", remedy="go on with it with --resume, or choose another --out", path=out)
        init = None if init is None else weights_of(init)
        if init is not None:
            check_init(recipe, init)
        collection = load_data()
        tell_findings(collection)
        planned = plan_run(recipe, collection, rules=rules, choice=split, fold=fold)
        parts = planned.splits.folds[fold]
        known = {*parts.train, *parts.val}
        cases = [case for case in planned.cases if case.case_id in known]
        for warning in planned.warnings[fold]:
            announce(f"bustle: warning: {warning}")
        CaseCache.open(cases, section=recipe.data)  # decodes all images: a broken one leaves no sweep behind
        settings = SweepSettings(
            space=space,
            fold=fold,
            seeds=seeds,
            pruned=prune,
            form=_form(layout, recipe, device=device),
            data=data_fingerprints(cases),
            init_sha256=None if init is None else sha256_of_file(init),
        )
        _begin(claim, layout, settings, planned)
        training = TrialTraining(
            recipe=recipe,
            form=settings.form,
            space=space,
            cases=cases,
            fold=replace(parts, test=()),
            number=fold,
            protocol=protocol,
            out=out.absolute(),
            device=device,
            init=init,
            seeds=seeds,
            given=_given(layout, space, count),
            pruned=prune,
        )
        done = {trial.number for trial in layout.trials() if trial.state in ("finished", "pruned")}
        left = [number for number in range(count) if number not in done]
        engine.run(training, left, shown=Shown("trials", "trial", len(left), have_bars=True))
        return _write_summary(layout, recipe, settings, validation_cases=len(parts.val))


def _count(space: Sequence[Dimension], trials: int | None) -> int:
    settings = number_of_settings(space)
    if trials is None:
        if not is_finite(space):
            raise InputError("there is no end of values to try", remedy="say how many with --trials N")
        return int(settings)
    if trials > settings:
        announce(f"bustle: --over has {settings} settings in all: each is trained once, not {trials} trials")
    return int(min(trials, settings))


def _given(layout: SweepLayout, space: Sequence[Dimension], count: int) -> dict[int, dict[str, Any]] | None:
    """The values of every trial that has not begun, where all of `space` is trained; else None."""
    if count < number_of_settings(space):
        return None
    begun = {trial.number: trial.values for trial in layout.trials()}
    left = (number for number in range(count) if number not in begun)
    return dict(zip(left, (values for values in combinations(space) if values not in begun.values()), strict=False))


def _form(layout: SweepLayout, recipe: Recipe, *, device: str) -> MeasuredForm:
    """That of the machine that began the sweep."""
    from bustle.training.fastest_form import fastest_form

    return _settings(layout).form if layout.settings.exists() else fastest_form(recipe, device=device)


def _settings(layout: SweepLayout) -> SweepSettings:
    return from_mapping(SweepSettings, read_json(layout.settings), where=layout.settings.name)


def _begin(claim: ClaimedFolder, layout: SweepLayout, settings: SweepSettings, planned: PlannedRun) -> None:
    """Write what all trials share; raises `InputError` where the folder holds a sweep that differs in it."""
    if not layout.settings.exists():
        claim.begin(clear=True)
        save_recipe(planned.recipe, layout.recipe)
        write_splits(layout.splits, planned.splits)
        write_json(layout.settings, to_mapping(settings))
        return
    there = _settings(layout)
    differences = [_OPTIONS[name] for name, value in vars(settings).items() if getattr(there, name) != value]
    if load_recipe(str(layout.recipe)) != planned.recipe:
        differences.append("the recipe or --set")
    if read_splits(layout.splits).folds != planned.splits.folds:
        differences.append("the split")
    if differences:
        raise InputError(
            f"holds another sweep: it differs in {', '.join(differences)}",
            remedy="repeat the command that began it, or choose another --out",
            path=layout.path,
        )
    claim.begin(clear=False)
    remove_file(layout.summary)


def _write_summary(
    layout: SweepLayout, recipe: Recipe, settings: SweepSettings, *, validation_cases: int
) -> SweepSummary:
    trials = layout.trials()
    ranked = sorted(
        (trial for trial in trials if trial.state == "finished"), key=lambda trial: trial.score, reverse=True
    )
    if not ranked:
        problem = trials[-1].problem or "all were given up"
        raise InputError(
            f"no trial was finished; of the last: {problem}", remedy="try other values", path=layout.path
        )
    others = [trial for trial in trials if trial.state != "finished"]
    summary = SweepSummary(
        title=recipe.title,
        monitor=recipe.training.monitor,
        fold=settings.fold,
        seeds=settings.seeds,
        validation_cases=validation_cases,
        trials=(*ranked, *others),
    )
    write_text(layout.table, _table(summary, settings.space))
    save_recipe(_best_recipe(recipe, ranked[0], among=len(trials), fold=settings.fold), layout.best)
    write_json(layout.summary, to_mapping(summary))
    return summary


def _best_recipe(recipe: Recipe, best: Trial, *, among: int, fold: int) -> Recipe:
    chosen = with_values(recipe, best.values)
    told = ", ".join(f"{key} = {value}" for key, value in best.values.items())
    sentence = f"{told}: the best of {among} trials on the validation part of fold {fold}"
    return replace(chosen, deviations=(*chosen.deviations, sentence))


def _table(summary: SweepSummary, space: Sequence[Dimension]) -> str:
    keys = [dimension.key for dimension in space]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", "score", "sd_over_seeds", "best_epochs", "seconds", *keys, "problem"])
    for trial in summary.trials:
        score = trial.score if trial.scores else None
        spread = stdev(trial.scores) if len(trial.scores) > 1 else None
        epochs = " ".join(map(str, trial.best_epochs))
        values = [trial.values[key] for key in keys]
        rows.writerow([trial.number, trial.state, score, spread, epochs, trial.seconds, *values, trial.problem])
    return text.getvalue()
