"""A run's own folder: what it was started with, and whether a later command may go on in it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bustle.core.claimed_output import ClaimedFolder
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file
from bustle.core.image_sketch import ImageSketch
from bustle.core.learning_curve import LearningCurve, read_learning_curve
from bustle.core.provenance import provenance
from bustle.core.recipe import Recipe, load_recipe, save_recipe
from bustle.core.run_layout import RunLayout, is_training_folder
from bustle.core.run_provenance import (
    Fingerprint,
    MeasuredForm,
    RunProvenance,
    Session,
    StartingWeights,
    TaughtCases,
    UntrainedHead,
    read_run_provenance,
    write_run_provenance,
)
from bustle.core.types import Case
from bustle.data.content_hashes import content_hashes
from bustle.data.splits.split_file import read_splits, write_splits
from bustle.data.splits.splits import Splits
from bustle.experiments.known_images import write_known_images
from bustle.models.device import hardware


def check_run_folder(claim: ClaimedFolder, *, resume: bool) -> bool:
    """Whether a run with a finished epoch is there to go on with.

    Raises `InputError` for a folder that would be overwritten.
    """
    run, out = RunLayout(claim.path), claim.path
    if claim.is_empty:
        return False
    if not run.is_run:
        raise InputError("is not empty and is no run folder", remedy="choose a new or empty folder", path=out)
    if not resume:
        raise InputError(
            "is not empty", remedy="go on with the run in it with --resume, or choose another --out", path=out
        )
    for fold in run.folds():
        if not fold.is_begun and not fold.is_scored and fold.history.exists() and len(_epochs(fold.history)) > 1:
            problem = f"holds {fold.name}, trained for several epochs, without its checkpoint or its results"
            raise InputError(problem, remedy="restore them, or move that folder away", path=out)
    # Without a finished epoch nothing is lost by beginning anew, with other data or settings if need be.
    return run.provenance.exists() and any(fold.is_begun or fold.is_scored for fold in run.folds())


def _epochs(history: Path) -> LearningCurve:
    """Of a damaged file none: what a kill leaves of the first epoch."""
    try:
        return read_learning_curve(history)
    except InputError:
        return ()


def refuse_run_folder(out: Path) -> None:
    """Raises `InputError` for a run's or a fold's own folder: other results there would replace the run's."""
    if is_training_folder(out):
        raise InputError("holds a training run", remedy="choose another --out, so that its results stay", path=out)


class RunFolder:
    """`RUN/{recipe.yaml, splits.json, images.json, provenance.json}`; every command that works in it adds a session.

    `record` has the sessions before this one.
    """

    def __init__(self, path: Path, record: RunProvenance):
        self._layout = RunLayout(path)
        self._earlier = record

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        recipe: Recipe,
        splits: Splits,
        images: Mapping[str, ImageSketch],
        fingerprints: Mapping[str, Fingerprint],
        init: Path | None,
        untrained: Sequence[UntrainedHead] = (),
        taught: Sequence[TaughtCases] = (),
        form: MeasuredForm = MeasuredForm(),  # noqa: B008  (it holds nothing)
    ) -> RunFolder:
        layout = RunLayout(path)
        save_recipe(recipe, layout.recipe)
        write_splits(layout.splits, splits)
        write_known_images(layout.images, images)
        record = RunProvenance(
            data=fingerprints,
            init=_starting_weights(init),
            precision=form.precision,
            memory_format=form.memory_format,
            untrained=tuple(untrained),
            taught=tuple(taught),
            sessions=(),
        )
        return cls(path, record)

    @property
    def form(self) -> MeasuredForm:
        """What `auto` stands for in this run."""
        return MeasuredForm(precision=self._earlier.precision, memory_format=self._earlier.memory_format)

    @classmethod
    def reopen(
        cls,
        path: Path,
        *,
        recipe: Recipe,
        splits: Splits,
        fingerprints: Mapping[str, Fingerprint],
        init: Path | None,
        other_answers: bool = False,
    ) -> RunFolder:
        """Raises `InputError` that names what differs when this is not the run that the folder holds.

        With `other_answers` the recipe's views and its rule, which no training sees, may differ.
        """
        layout = RunLayout(path)
        record = read_run_provenance(layout.provenance)
        there = load_recipe(str(layout.recipe))
        differences = _recipe_differences(replace(there, views=recipe.views, rule=recipe.rule), recipe)
        if there.views != recipe.views and not other_answers:
            words = f"{there.views.in_words()} there, {recipe.views.in_words()} here"
            differences.append(f"the views ({words}; --refit of all folds changes them)")
        if there.rule != recipe.rule and not other_answers:
            differences.append("the rule (--refit of all folds changes it)")
        differences += _split_differences(read_splits(layout.splits), splits)
        differences += [
            f"the data of {source}"
            for source in sorted(record.data.keys() | fingerprints.keys())
            if record.data.get(source) != fingerprints.get(source)
        ]
        if _digest(record.init) != _digest(_starting_weights(init)):
            differences.append("the --init weights")
        if differences:
            raise InputError(
                f"holds another run: it differs in {'; '.join(differences)}",
                remedy="repeat the command that began it, or choose another --out",
                path=path,
            )
        return cls(path, record)

    def begin_session(self) -> None:
        """Note that this command works here."""
        self._started = time.monotonic()
        self._session = Session(
            **vars(provenance()),
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            hardware=hardware(),
            seconds=None,
        )
        self._write()

    def end_session(self) -> None:
        """Note the time that this command took."""
        self._session = replace(self._session, seconds=round(time.monotonic() - self._started, 1))
        self._write()

    def _write(self) -> None:
        sessions = (*self._earlier.sessions, self._session)
        write_run_provenance(self._layout.provenance, replace(self._earlier, sessions=sessions))


def _starting_weights(init: Path | None) -> StartingWeights | None:
    return None if init is None else StartingWeights(file=init.name, sha256=sha256_of_file(init))


def _digest(weights: StartingWeights | None) -> str | None:
    return None if weights is None else weights.sha256


def data_fingerprints(cases: Sequence[Case]) -> dict[str, Fingerprint]:
    """By the name of every source."""
    hashes = content_hashes(file for case in cases for file in case.files)
    fingerprints = {}
    for source in sorted({case.source for case in cases}):
        own = sorted((case for case in cases if case.source == source), key=lambda case: case.case_id)
        digest = hashlib.sha256()
        for case in own:
            content = [hashes[file] for file in case.files] or sorted(case.metadata.items())
            digest.update(repr((case.case_id, case.label, content)).encode())
        fingerprints[source] = Fingerprint(cases=len(own), sha256=digest.hexdigest())
    return fingerprints


def _recipe_differences(there: Recipe, here: Recipe) -> list[str]:
    old, new = _flat(to_mapping(there)), _flat(to_mapping(here))
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    return [f"{key} ({old.get(key)} there, {new.get(key)} here)" for key in keys[:5]] + (
        [f"{len(keys) - 5} more keys of the recipe"] if len(keys) > 5 else []
    )


def _flat(value: Any, *, prefix: str = "") -> dict[str, Any]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat |= _flat(item, prefix=f"{prefix}.{key}" if prefix else str(key))
    return flat


def _split_differences(there: Splits, here: Splits) -> list[str]:
    for name in ("track", "protocol", "seed"):
        old, new = getattr(there, name), getattr(here, name)
        if old != new:
            return [f"the {name} ({old} there, {new} here)"]
    if len(there.folds) != len(here.folds):
        return [f"the number of folds ({len(there.folds)} there, {len(here.folds)} here)"]
    return [] if there.folds == here.folds else ["which cases are in which fold"]
