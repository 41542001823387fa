"""A whole run: split, train each fold, predict its test part to files, score the files, sum up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.claimed_output import claim_folder
from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import Protocol, Recipe, Track
from bustle.core.run_layout import RunLayout
from bustle.core.tracks import TrackRules, Tracks, both_tracks
from bustle.core.types import Case, Collection
from bustle.data.class_groups import in_class_groups
from bustle.data.prepared.cache import CaseCache
from bustle.data.relations.seen_images import sketches_of
from bustle.data.splits.split_file import read_splits
from bustle.data.splits.split_warnings import split_warnings
from bustle.data.splits.splits import Splits, make_splits
from bustle.evaluation.results import RunResult
from bustle.experiments.annotation_check import check_annotations
from bustle.experiments.evaluate import score_model
from bustle.experiments.own_outputs import RUN
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.resampling_groups import groups_of_split, resampling_groups
from bustle.experiments.run_folder import RunFolder, check_run_folder, data_fingerprints
from bustle.experiments.run_summary import write_run_summary
from bustle.experiments.scored_fold import read_scored, read_training
from bustle.inference.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """How the cases are divided: as `made` (or as the file of it) says, or by the track's protocol.

    `folds` overrides the protocol's number; `holdout` makes one fold with that fraction as its test part.
    """

    track: Track = "strict"
    published_protocol: str | None = None
    folds: int | None = None
    holdout: float | None = None
    made: Splits | Path | None = None


def run_training(
    recipe: Recipe,
    *,
    load_data: Callable[[], Collection],
    out: Path,
    split: SplitChoice,
    fold: int | None = None,
    resume: bool = False,
    device: str = "auto",
    init: Path | None = None,
) -> RunResult:
    """Train, predict and score into the run folder `out`; returns the content of `summary.json`.

    `fold` trains only that fold (from 0). Everything in the recipe is checked before `load_data` is called, and every
    image before training begins. Raises `InputError` for wrong input, a loss that is not finite, Ctrl-C, a full disk
    and a folder that another command is writing into; `resume` then goes on after the last finished epoch.
    """
    from bustle.training.checks import check_init, check_recipe, choose_device
    from bustle.training.determinism import keeping_random_state

    check_recipe(recipe)
    choose_device(device, precision=recipe.training.precision)
    rules = both_tracks(split.track, published=split.published_protocol or recipe.protocol)
    with keeping_random_state(), claim_folder(out, RUN) as claim:
        reopening = check_run_folder(claim, resume=resume)
        if init is not None:
            check_init(recipe, init)
        collection = load_data()
        tell_findings(collection)
        grouped = in_class_groups(collection.cases, recipe.data.class_groups)
        collection = dataclasses.replace(collection, cases=grouped)
        splits = _splits(collection, recipe=recipe, protocol=rules.main.protocol, choice=split)
        cases = _cases_in(splits, collection)
        numbers = _numbers(splits, cases, fold=fold, recipe=recipe, protocol=rules.main.protocol)
        warnings = split_warnings(splits, cases=cases, protocol=rules.main.protocol)
        for number in numbers:
            for warning in warnings[number]:
                announce(f"bustle: warning: {warning}")
        CaseCache.open(cases, section=recipe.data)  # decodes every image, so that a broken one leaves no run behind
        about = {"recipe": recipe, "splits": splits, "fingerprints": data_fingerprints(cases), "init": init}
        if reopening:
            run = RunFolder.reopen(out, **about)
            _check_begun(out, recipe=recipe, numbers=numbers)
            claim.begin(clear=False)
        else:
            claim.refuse_inputs(_starting_files(recipe, init=init))
            images = sketches_of(cases)
            claim.begin(clear=True)
            run = RunFolder.create(out, images=images, **about)
        run.begin_session()
        work = _Folds(
            recipe, cases=cases, splits=splits, out=out, rules=rules, device=device, init=init, warnings=warnings
        )
        for number in numbers:
            work.do(number, resume=reopening)
        result = write_run_summary(out, recipe=recipe, rules=rules, cases=work.by_id)
        run.end_session()
    return result


def _starting_files(recipe: Recipe, *, init: Path | None) -> list[Path]:
    """The weights that a new training starts from, which must not be removed before it does."""
    named = (init, recipe.model.encoder_weights)
    return [Path(file) for file in named if file is not None and Path(file).exists()]


def _numbers(
    splits: Splits, cases: Sequence[Case], *, fold: int | None, recipe: Recipe, protocol: Protocol
) -> Sequence[int]:
    """The folds to be trained, whose parts have what the recipe learns from; raises `InputError` otherwise."""
    if fold is not None and not 0 <= fold < len(splits.folds):
        raise InputError(f"there is no fold {fold}", remedy=f"folds count from 0 to {len(splits.folds) - 1}")
    numbers = range(len(splits.folds)) if fold is None else [fold]
    for number in numbers:
        check_annotations(splits.folds[number], title=f"fold {number}", cases=cases, recipe=recipe, protocol=protocol)
    return numbers


def _check_begun(out: Path, *, recipe: Recipe, numbers: Sequence[int]) -> None:
    """Read what the run has of its folds, so that nothing is changed where a file is damaged."""
    from bustle.training.checks import check_begun

    run = RunLayout(out)
    for number in numbers:
        check_begun(recipe, folder=run.fold(number).path)
    for fold in run.scored_folds():
        read_scored(fold.main)
        if fold.history.exists() or fold.number not in numbers:  # else it is made again from the checkpoint
            read_training(fold)


def _splits(collection: Collection, *, recipe: Recipe, protocol: Protocol, choice: SplitChoice) -> Splits:
    if choice.made is not None:
        file = choice.made if isinstance(choice.made, Path) else None
        splits = read_splits(choice.made) if isinstance(choice.made, Path) else choice.made
        if splits.track != choice.track or splits.protocol != protocol.id:
            raise InputError(
                f"was made for the track '{splits.track}' and the protocol '{splits.protocol}'",
                remedy=f"use --track {splits.track}"
                + (f" --protocol {splits.protocol}" if splits.track == "published" else ""),
                path=file,
            )
        return splits
    return make_splits(
        collection,
        protocol=protocol,
        track=choice.track,
        folds=choice.folds,
        holdout=choice.holdout,
        classes=recipe.data.classes,
        multi_mask=recipe.data.multi_mask,
    )


def _cases_in(splits: Splits, collection: Collection) -> list[Case]:
    """The cases of all folds, in the collection's order; raises `InputError` if the data lacks one."""
    wanted = {case_id for fold in splits.folds for part in (fold.train, fold.val, fold.test) for case_id in part}
    cases = [case for case in collection.cases if case.case_id in wanted]
    missing = wanted - {case.case_id for case in cases}
    if missing:
        raise InputError(
            f"the split names {len(missing)} cases that the data does not have, such as '{min(missing)}'",
            remedy="give the same --data as for the split",
        )
    return cases


class _Folds:
    """The folds of one run, each done as far as it is not done yet. Fold k trains with the recipe's seed + k.

    `warnings` are what a reader of each fold's figures must know of the split.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        cases: Sequence[Case],
        splits: Splits,
        out: Path,
        rules: Tracks[TrackRules],
        device: str,
        init: Path | None,
        warnings: Sequence[Sequence[str]],
    ):
        self.recipe = recipe
        self.cases = cases
        self.by_id = {case.case_id: case for case in cases}
        self.splits = splits
        self.out = out
        self.rules = rules
        self.device = device
        self.init = init
        self.warnings = warnings

    def do(self, number: int, *, resume: bool) -> None:
        from bustle.training.run import train_fold

        folder, fold = RunLayout(self.out).fold(number), self.splits.folds[number]
        if resume and folder.is_finished and not folder.has_epoch:
            return  # its checkpoint was taken away, which only a training needs that goes on
        training = dataclasses.replace(self.recipe.training, seed=self.recipe.training.seed + number)
        train_fold(
            dataclasses.replace(self.recipe, training=training),
            cases=self.cases,
            fold=fold,
            out=folder.path,
            protocol=self.rules.main.protocol,
            device=self.device,
            resume=resume,
            init=self.init,
            title=f"fold {number}",
        )
        if not folder.is_scored:
            self._score(folder.path, [self.by_id[case_id] for case_id in fold.test], number)

    def _score(self, folder: Path, cases: Sequence[Case], number: int) -> None:
        # A split by images takes every image for its own group; patients stay together in intervals.
        by_groups = self.rules.main.protocol.group_by == "leak_group"
        score_model(
            Predictor.of_trained_fold(RunLayout(self.out), number, device=self.device),
            cases=cases,
            out=folder,
            rules=self.rules,
            groups=groups_of_split(self.splits.groups) if by_groups else resampling_groups(cases),
            title=f"{self.recipe.title}, fold {number}",
            warnings=self.warnings[number],
        )
