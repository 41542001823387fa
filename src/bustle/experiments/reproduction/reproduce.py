"""`bustle reproduce`: run what a table lacks, part by part, and write it beside the paper's after each part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.config import to_mapping
from bustle.core.errors import InputError, TrainingInterruptedError
from bustle.core.files import write_json
from bustle.core.progress import announce
from bustle.core.tracks import both_tracks
from bustle.core.types import Collection
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Splits
from bustle.evaluation.reproduction import Reproduction
from bustle.experiments.engines.engine import Engine, LocalEngine
from bustle.experiments.own_outputs import REPRODUCTION
from bustle.experiments.planned_run import SplitChoice, plan_run
from bustle.experiments.reproduction.begun import begun_runs, write_begun
from bustle.experiments.reproduction.given_data import GivenData
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.record import reproduction_of
from bustle.experiments.reproduction.roc_rows import rows_of_curves
from bustle.experiments.reproduction.runs import RowRun, Settings, all_runs, open_folds, runs_of, work_of
from bustle.experiments.reproduction.smoke import fewer_cases, smoke_form
from bustle.report.reproduction_page import write_reproduction_page
from bustle.report.reproduction_text import write_reproduction_text


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`stopped` where the time was up before all parts were done."""

    items: tuple[Reproduction, ...]
    stopped: bool


def reproduce(
    items: Sequence[Item],
    given: GivenData,
    *,
    out: Path,
    settings: Settings,
    resume: bool = False,
    seconds: float | None = None,
    engine: Engine = LocalEngine(),  # noqa: B008  (it holds nothing)
) -> Outcome:
    """Train and score what the items' rows lack and write `PAPER-ITEM.json`, `.html` and `.md` of each into `out`.

    A part is one fold of one run, or all folds of a run where the `engine` trains several side by side; finished ones
    are kept. The items are written anew after each part. After the part in which `seconds` are reached it stops.
    Raises `InputError` for a folder with an earlier reproduction without `resume`, and where its runs are of other
    settings or data.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    with claim_folder(out, REPRODUCTION) as claim:
        claim.refuse_foreign()
        if not claim.is_empty and not resume:
            remedy = "go on with it with --resume, or choose another --out"
            raise InputError("holds an earlier reproduction", remedy=remedy, path=out)
        work = _Work(items, given, out=out, settings=settings, engine=engine)
        work.begin(claim)
        work.write()
        part, stopped = work.next_part(), False
        while part is not None and not stopped:
            work.do(part)
            work.write()
            part = work.next_part()
            stopped = part is not None and ends is not None and time.monotonic() >= ends
        written = work.write()  # also tells what is in the way of the last parts
    return Outcome(items=tuple(written), stopped=stopped)


def opened(runs: Sequence[RowRun]) -> dict[tuple[str, ...], Collection]:
    """The data of the runs, each set of specs read once."""
    found: dict[tuple[str, ...], Collection] = {}
    for run in runs:
        if run.specs not in found:
            found[run.specs] = open_sources(run.specs)
    return found


@dataclass(frozen=True)
class _Part:
    """One fold of one run."""

    run: RowRun
    fold: int


class _Work:
    """The parts of all items: which are open, why some cannot be done, and the files that tell of them."""

    def __init__(self, items: Sequence[Item], given: GivenData, *, out: Path, settings: Settings, engine: Engine):
        self._engine = engine
        self._items = items
        self._given = given
        self._out = out
        self._settings = settings
        self._runs = all_runs(items, given, settings=settings)
        self._collections = opened(self._runs)
        self._splits: dict[tuple[object, ...], Splits] = {}
        self._choices: dict[RowRun, SplitChoice] = {}
        self._obstacles: dict[RowRun, str] = {}
        self._finished: set[RowRun] = set()

    def begin(self, claim: ClaimedFolder) -> None:
        """Raises `InputError` for data in the folder, and where its runs are of other settings or data."""
        claim.refuse_inputs(
            [file for data in self._collections.values() for case in data.cases for file in case.files]
        )
        begun = begun_runs(self._runs, out=self._out, settings=self._settings, collections=self._collections)
        claim.begin(clear=False)
        write_begun(self._out, begun)

    def next_part(self) -> _Part | None:
        """The first one that is open, in the order of the rows."""
        for run in self._runs:
            for fold in self._open_folds(run):
                if self._can_be_done(run):
                    return _Part(run, fold)
        return None

    def _open_folds(self, run: RowRun) -> list[int]:
        if run in self._obstacles or run in self._finished:
            return []
        found = open_folds(run, out=self._out, settings=self._settings)
        if not found:
            self._finished.add(run)
        return found

    def _can_be_done(self, run: RowRun) -> bool:
        """Splits the data, once for all runs with the same rules; what is in the way becomes the rows' reason."""
        if run in self._choices:
            return True
        recipe = self._settings.recipe(run.recipe)
        rules = both_tracks(run.track, published=run.published_protocol)
        key = (run.specs, run.track, rules.main.protocol.id, recipe.data.classes, recipe.data.multi_mask)
        choice = SplitChoice(track=run.track, published_protocol=run.published_protocol, made=self._splits.get(key))
        try:
            fold = 0 if self._settings.smoke else None
            planned = plan_run(recipe, self._collection(run), rules=rules, choice=choice, fold=fold)
        except InputError as error:
            self._cannot_go_on(run, error)
            return False
        self._splits[key] = planned.splits
        self._choices[run] = SplitChoice(
            track=run.track, published_protocol=run.published_protocol, made=planned.splits
        )
        return True

    def _collection(self, run: RowRun) -> Collection:
        whole = self._collections[run.specs]
        if not self._settings.smoke:
            return whole
        recipe = self._settings.recipe(run.recipe)
        classes = {name for group in recipe.data.class_groups.values() for name in group} | set(recipe.data.classes)
        told = [case for case in whole.cases if case.label is None or case.label in classes]
        limit = smoke_form().training(recipe).cases
        return fewer_cases(Collection(tuple(told), whole.findings), limit=limit)

    def do(self, part: _Part) -> None:
        """Train and score it; what it fails at is in the way of its run."""
        from torch import OutOfMemoryError

        from bustle.experiments.train import run_training

        run, layout = part.run, part.run.layout(self._out)
        recipe = self._settings.seeded_recipe(run)
        total, left = self._counted()
        together = self._engine.is_parallel and not self._settings.smoke
        which = "all open folds" if together else f"fold {part.fold}"
        announce(f"bustle: part {total - left + 1} of {total}: {run.recipe}, {run.track}, {which}")
        try:
            run_training(
                recipe,
                load_data=lambda: self._collection(run),
                out=layout.path,
                split=self._choices[run],
                fold=None if together else part.fold,
                resume=layout.recipe.exists(),
                device=self._settings.device,
                engine=self._engine,
            )
        except TrainingInterruptedError:
            raise
        except InputError as error:
            self._cannot_go_on(run, error)
        except (OutOfMemoryError, MemoryError):
            problem, remedy = "its training does not fit into the memory", "--set training.batch_size=N with fewer"
            self._cannot_go_on(run, InputError(problem, remedy=remedy))

    def _cannot_go_on(self, run: RowRun, error: InputError) -> None:
        """The other runs do: one training that fails leaves its rows without figures, not the table."""
        self._obstacles[run] = error.in_results()
        announce(f"bustle: {run.recipe}: {error}")

    def _counted(self) -> tuple[int, int]:
        return sum(map(self._settings.folds, self._runs)), sum(len(self._open_folds(run)) for run in self._runs)

    def write(self) -> list[Reproduction]:
        """All items as far as they are finished."""
        return [self._write(item) for item in self._items]

    def _write(self, item: Item) -> Reproduction:
        own = {run for work in work_of(item, self._given) for run in runs_of(work, item, settings=self._settings)}
        found = reproduction_of(
            item,
            self._given,
            out=self._out,
            settings=self._settings,
            obstacles=self._obstacles,
            open_parts=sum(len(self._open_folds(run)) for run in own),
        )
        stem = f"{item.section.paper}-{item.name}"
        curves = rows_of_curves(item, self._given, out=self._out, settings=self._settings)
        write_json(self._out / f"{stem}.json", to_mapping(found))
        write_reproduction_page(self._out / f"{stem}.html", found, curves=curves)
        write_reproduction_text(self._out / f"{stem}.md", found)
        return found
