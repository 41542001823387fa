"""A whole run: split, train each fold, predict its test part to files, score the files, sum up."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.errors import InputError
from bustle.core.files import remove_file
from bustle.core.image_sketch import ImageSketch
from bustle.core.progress import announce
from bustle.core.recipe import Recipe, load_recipe, save_recipe
from bustle.core.rule_section import RuleSection
from bustle.core.run_layout import FoldLayout, RunLayout
from bustle.core.run_provenance import MeasuredForm, UntrainedHead
from bustle.core.tracks import both_tracks
from bustle.core.types import Case, Collection
from bustle.data.prepared.cache import CaseCache
from bustle.data.relations.seen_images import sketches_of
from bustle.data.splits.splits import Fold
from bustle.evaluation.results import RunResult
from bustle.experiments.calibration_case import calibration_cases
from bustle.experiments.calibration_file import read_calibration, write_calibration
from bustle.experiments.engines.engine import Engine, LocalEngine, Shown
from bustle.experiments.evaluate import score_model
from bustle.experiments.fit_decision import fit_rule
from bustle.experiments.initial_weights import weights_of
from bustle.experiments.own_outputs import RUN
from bustle.experiments.planned_run import PlannedRun, SplitChoice, plan_run
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.resampling_groups import groups_of_split, resampling_groups
from bustle.experiments.run_folder import RunFolder, check_run_folder, data_fingerprints
from bustle.experiments.run_summary import write_run_summary
from bustle.experiments.scored_fold import read_scored, read_training
from bustle.experiments.taught_cases import taught_cases
from bustle.experiments.training_overlap import overlap_of_start
from bustle.experiments.untrained_heads import tell_untrained, untrained_heads
from bustle.inference.decision_file import write_decision_rule
from bustle.inference.predictor import Predictor


def run_training(
    recipe: Recipe,
    *,
    load_data: Callable[[], Collection],
    out: Path,
    split: SplitChoice,
    fold: int | None = None,
    resume: bool = False,
    refit: bool = False,
    device: str = "auto",
    init: Path | None = None,
    engine: Engine = LocalEngine(),  # noqa: B008  (it holds nothing)
    devices: int = 1,
    seconds: float | None = None,
) -> RunResult:
    """Train, predict and score into the run folder `out`; returns the content of `summary.json`.

    `fold` trains only that fold (from 0). With `refit` finished folds are not trained anew, but get a new rule for
    their answers and are scored by it; the recipe's views and rule may then be others, if all finished folds get
    them. An `engine` of several processes trains as many folds side by side; its machines see data and `out` by these
    paths.
    `devices` processes share every batch of a fold. After the fold in which `seconds` are reached it stops, which
    an `engine` that takes all folds at once cannot. Everything in the recipe is checked before `load_data` is called,
    and every image before training begins. Raises `InputError` for wrong input, a loss that is not finite, Ctrl-C, a
    full disk and a folder that another command is writing into; `resume` then goes on after the last finished epoch.
    """
    from bustle.training.determinism import keeping_random_state

    ends = None if seconds is None else time.monotonic() + seconds
    opening = opened_run(
        recipe,
        load_data=load_data,
        out=out,
        split=split,
        fold=fold,
        resume=resume,
        refit=refit,
        device=device,
        init=init,
        devices=devices,
    )
    with keeping_random_state(), opening as folds:
        numbers = _until(ends, folds.numbers, run=RunLayout(out))
        engine.run(folds, numbers, shown=Shown("folds", "fold", len(folds.numbers), have_bars=True))
        return folds.sum_up()


def _until(ends: float | None, numbers: Sequence[int], *, run: RunLayout) -> Iterator[int]:
    """The finished folds, and of the open ones the first and those for which there is time when their turn comes."""
    trained, left = False, 0
    for number in numbers:
        is_open = not run.fold(number).is_scored
        if is_open and trained and ends is not None and time.monotonic() >= ends:
            left += 1
            continue
        trained = trained or is_open
        yield number
    if left:
        which = "1 fold is" if left == 1 else f"{left} folds are"
        announce(f"bustle: stopped: the time is up; {which} left, go on with the same command and --resume")


@contextlib.contextmanager
def opened_run(
    recipe: Recipe,
    *,
    load_data: Callable[[], Collection],
    out: Path,
    split: SplitChoice,
    fold: int | None = None,
    resume: bool = False,
    refit: bool = False,
    device: str = "auto",
    init: Path | None = None,
    devices: int = 1,
    sketches: Mapping[str, ImageSketch] | None = None,
) -> Iterator[Folds]:
    """See `run_training`: everything is checked and the run begun, nothing trained.

    For the block the folder is this process's alone, and that of the processes that it gives a fold each. `sketches`
    are those that are known of the cases' images.
    """
    from bustle.training.checks import check_devices, check_init, check_recipe, choose_device

    check_recipe(recipe)
    choose_device(device, precision=recipe.training.precision)
    check_devices(recipe, device=device, devices=devices)
    rules = both_tracks(split.track, published=split.published_protocol or recipe.protocol)
    with claim_folder(out, RUN) as claim:
        reopening = check_run_folder(claim, resume=resume)
        starting_model, init = init, None if init is None else weights_of(init)
        if init is not None:
            check_init(recipe, init)
        collection = load_data()
        tell_findings(collection)
        planned = plan_run(recipe, collection, rules=rules, choice=split, fold=fold)
        planned = _with_overlap(planned, init=starting_model)
        for number in planned.numbers:
            for warning in planned.warnings[number]:
                announce(f"bustle: warning: {warning}")
        untrained = untrained_heads(planned, init=init)
        tell_untrained(untrained, numbers=planned.numbers)
        CaseCache.open(planned.cases, section=recipe.data)  # decodes all images: a broken one leaves no run behind
        if reopening:
            run = _reopened(claim, planned, init=init, refit=refit)
        else:
            run = _created(claim, planned, init=init, untrained=untrained, sketches=sketches or {}, device=device)
        run.begin_session()
        yield Folds(planned, out=out, device=device, init=init, form=run.form, refit=refit, devices=devices)
        run.end_session()


def _with_overlap(planned: PlannedRun, *, init: Path | None) -> PlannedRun:
    """What a reader must know of each fold's figures, told also of test cases that the starting weights have seen."""
    cases = {case.case_id: case for case in planned.cases}
    warnings = [list(told) for told in planned.warnings]
    for number in planned.numbers:
        tested = [cases[case_id] for case_id in planned.splits.folds[number].test]
        warnings[number] += overlap_of_start(init, tested)
    return dataclasses.replace(planned, warnings=warnings)


def _created(
    claim: ClaimedFolder,
    planned: PlannedRun,
    *,
    init: Path | None,
    untrained: Sequence[UntrainedHead],
    sketches: Mapping[str, ImageSketch],
    device: str,
) -> RunFolder:
    """A new run's folder; what an earlier one left there goes only when all is known to be right."""
    from bustle.training.fastest_form import fastest_form

    recipe, fingerprints = planned.recipe, data_fingerprints(planned.cases)
    claim.refuse_inputs(_starting_files(recipe, init=init))
    images = _sketches(planned.cases, known=sketches)
    form = fastest_form(recipe, device=device)
    claim.begin(clear=True)
    return RunFolder.create(
        claim.path,
        recipe=recipe,
        splits=planned.splits,
        images=images,
        fingerprints=fingerprints,
        init=init,
        untrained=untrained,
        taught=taught_cases(planned),
        form=form,
    )


def _sketches(cases: Sequence[Case], *, known: Mapping[str, ImageSketch]) -> dict[str, ImageSketch]:
    unknown = [case for case in cases if case.case_id not in known]
    found = {**known, **sketches_of(unknown)} if unknown else known
    return {case.case_id: found[case.case_id] for case in cases if case.case_id in found}


def _reopened(claim: ClaimedFolder, planned: PlannedRun, *, init: Path | None, refit: bool) -> RunFolder:
    """The folder of the run that goes on, nothing of it damaged.

    With `refit` its views and what its rule is to keep become the recipe's.
    """
    recipe, fingerprints = planned.recipe, data_fingerprints(planned.cases)
    layout = RunLayout(claim.path)
    all_folds = {fold.number for fold in layout.folds() if fold.is_finished} <= set(planned.numbers)
    run = RunFolder.reopen(
        claim.path,
        recipe=recipe,
        splits=planned.splits,
        fingerprints=fingerprints,
        init=init,
        other_answers=refit and all_folds,
    )
    _check_begun(claim.path, recipe=recipe, numbers=planned.numbers, refit=refit)
    for fold in layout.scored_folds() if refit else ():
        if not fold.weights.exists():
            raise InputError("is gone, which a new rule needs", remedy="restore it", path=fold.weights)
    claim.begin(clear=False)
    if load_recipe(str(layout.recipe)) != recipe:
        for rule in (layout.decision, *(fold.decision for fold in layout.folds())):
            remove_file(rule)  # first, because none may be used with other views or sections than it was fitted with
        save_recipe(recipe, layout.recipe)
    return run


def _starting_files(recipe: Recipe, *, init: Path | None) -> list[Path]:
    """The weights that a new training starts from, which must not be removed before it does."""
    named = (init, recipe.model.encoder_weights)
    return [Path(file) for file in named if file is not None and Path(file).exists()]


def _check_begun(out: Path, *, recipe: Recipe, numbers: Sequence[int], refit: bool) -> None:
    """Read what the run has of its folds, so that nothing is changed where a file is damaged."""
    from bustle.training.checks import check_begun

    run = RunLayout(out)
    for number in numbers:
        check_begun(recipe, folder=run.fold(number).path)
    for fold in run.scored_folds():
        read_scored(fold.main)
        if fold.history.exists() or fold.number not in numbers:  # else it is made again from the checkpoint
            read_training(fold)
    every = {*numbers, *(fold.number for fold in run.folds())}
    for fold in map(run.fold, every) if len(every) > 1 and not refit else ():
        if fold.calibration.exists():
            read_calibration(fold.calibration)  # the rule of the mean of all folds is fitted on it


def write_rule_of_mean(run: RunLayout, *, section: RuleSection) -> None:
    """The rule for the mean of a run's finished folds, where all of them have what it is fitted on.

    It is fitted on what each network says about its own validation part: no case is there that all of them have not
    seen. The mean is a little surer than one network, so that the rule is an approximation.
    """
    folds = [fold for fold in run.folds() if fold.is_finished]
    if len(folds) > 1 and all(fold.calibration.exists() for fold in folds):
        cases = [case for fold in folds for case in read_calibration(fold.calibration)]
        write_decision_rule(run.decision, fit_rule(cases, section=section), folds=folds)


class Folds:
    """The folds of an opened run, the `numbers` of which are asked for; each call does one as far as it is not done.

    Fold k trains with the recipe's seed + k. It can be pickled and called in other processes, which see data and
    `out` by the same paths.
    """

    def __init__(
        self,
        planned: PlannedRun,
        *,
        out: Path,
        device: str,
        init: Path | None,
        form: MeasuredForm,
        refit: bool,
        devices: int,
    ):
        self.numbers = planned.numbers
        self.recipe = planned.recipe
        self.form = form
        self.cases = planned.cases
        self.by_id = {case.case_id: case for case in planned.cases}
        self.splits = planned.splits
        self.out = out.absolute()
        self.rules = planned.rules
        self.device = device
        self.init = init
        self.warnings = planned.warnings
        self.refit = refit
        self.devices = devices

    def __call__(self, number: int) -> None:
        from bustle.training.run import train_fold

        folder, fold = RunLayout(self.out).fold(number), self.splits.folds[number]
        is_finished = folder.is_finished
        if self.refit:
            remove_file(folder.main.metrics)  # first, so that an interrupted command is taken up where it stopped
            remove_file(folder.decision)
        if self.refit and is_finished:
            self._finish(folder, fold)
            return
        if folder.is_scored and not folder.has_epoch:
            return  # what was taken away, its checkpoint or its weights too, only a training needs that goes on
        seed = self.recipe.training.seed + number
        training = dataclasses.replace(self.form.decide(self.recipe.training), seed=seed)
        train_fold(
            dataclasses.replace(self.recipe, training=training),
            cases=self.cases,
            fold=fold,
            out=folder.path,
            protocol=self.rules.main.protocol,
            device=self.device,
            resume=True,  # also where a process died and another does its fold again
            init=self.init,
            title=f"fold {number}",
            devices=self.devices,
        )
        if not folder.is_scored:
            self._finish(folder, fold)

    def sum_up(self) -> RunResult:
        """What the run amounts to with the folds that are finished; only in the process that opened it."""
        write_rule_of_mean(RunLayout(self.out), section=self.recipe.rule)
        return write_run_summary(self.out, recipe=self.recipe, rules=self.rules, cases=self.by_id)

    def _finish(self, folder: FoldLayout, fold: Fold) -> None:
        predictor = self._deciding(folder, [self.by_id[case_id] for case_id in fold.val])
        self._score(predictor, folder.path, [self.by_id[case_id] for case_id in fold.test], folder.number)

    def _deciding(self, folder: FoldLayout, cases: Sequence[Case]) -> Predictor:
        """The fold's model with the rule for its answers, which is fitted on its validation part and kept."""
        predictor = Predictor.of_trained_fold(RunLayout(self.out), folder.number, device=self.device)
        if folder.decision.exists():
            return predictor
        known = list(calibration_cases(predictor, cases, groups=self.splits.groups))
        write_calibration(folder.calibration, known)
        rule = fit_rule(known, section=self.recipe.rule)
        write_decision_rule(folder.decision, rule, folds=[folder])
        if rule is None:
            return predictor
        return Predictor.of_trained_fold(RunLayout(self.out), folder.number, device=self.device)

    def _score(self, predictor: Predictor, folder: Path, cases: Sequence[Case], number: int) -> None:
        # A split by images takes every image for its own group; patients stay together in intervals.
        by_groups = self.rules.main.protocol.group_by == "leak_group"
        score_model(
            predictor,
            cases=cases,
            out=folder,
            rules=self.rules,
            groups=groups_of_split(self.splits.groups) if by_groups else resampling_groups(cases),
            title=f"{self.recipe.title}, fold {number}",
            warnings=(*self.warnings[number], *predictor.warnings),
        )
