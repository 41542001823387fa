"""`bustle reproduce`: run what a table lacks, part by part, and write it beside the paper's after each part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.claimed_output import ClaimedFolder, claim_folder
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import write_json
from bustle.core.image_sketch import ImageSketch
from bustle.core.progress import announce
from bustle.core.types import Collection
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Splits
from bustle.evaluation.reproduction import Reproduction
from bustle.experiments.engines.engine import Engine, LocalEngine, Shown
from bustle.experiments.known_images import read_known_images
from bustle.experiments.own_outputs import REPRODUCTION
from bustle.experiments.reproduction.begun import begun_runs, write_begun
from bustle.experiments.reproduction.given_data import GivenData
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.parts import Done, Part, do_part, is_over
from bustle.experiments.reproduction.record import reproduction_of
from bustle.experiments.reproduction.roc_rows import rows_of_curves
from bustle.experiments.reproduction.runs import RowRun, Settings, all_runs, open_folds, runs_of, work_of
from bustle.experiments.reproduction.smoke import fewer_cases, smoke_form
from bustle.report.reproduction_page import write_reproduction_page
from bustle.report.reproduction_text import write_reproduction_text

if TYPE_CHECKING:
    from bustle.experiments.train import Folds


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

    A part is one fold of one run. All open ones go to the `engine` as one list, in the order of the rows; what one
    fails at is in the way of its run alone. The items are written anew after each part. Once `seconds` are over no
    other part begins, except the first. Raises `InputError` for a folder with an earlier reproduction without
    `resume`, and where its runs are of other settings or data.
    """
    from bustle.training.determinism import keeping_random_state

    ends = None if seconds is None else time.time() + seconds
    with keeping_random_state(), claim_folder(out, REPRODUCTION) as claim, ExitStack() as stack:
        claim.refuse_foreign()
        if not claim.is_empty and not resume:
            remedy = "go on with it with --resume, or choose another --out"
            raise InputError("holds an earlier reproduction", remedy=remedy, path=out)
        work = _Work(items, given, out=out, settings=settings, ends=ends, stack=stack)
        work.begin(claim)
        work.write()
        shown = Shown("reproduce", "training", work.left(), have_bars=True)
        engine.run(do_part, work.parts(), shown=shown, each=work.take)
        written = work.write()  # also tells what is in the way of the last parts
    return Outcome(items=tuple(written), stopped=is_over(ends) and work.left() > 0)


def opened(runs: Sequence[RowRun]) -> dict[tuple[str, ...], Collection]:
    """The data of the runs, each set of specs read once."""
    found: dict[tuple[str, ...], Collection] = {}
    for run in runs:
        if run.specs not in found:
            found[run.specs] = open_sources(run.specs)
    return found


@dataclass
class _Opened:
    """A run whose folder is ours until `stack` is closed, which it is when all folds `waiting` have come back."""

    folds: Folds
    stack: ExitStack
    waiting: set[int]


class _Work:
    """The parts of all items: which are open, why some cannot be done, and the files that tell of them.

    Folders of runs that are worked in are claimed until they are done, or `stack` is left.
    """

    def __init__(
        self,
        items: Sequence[Item],
        given: GivenData,
        *,
        out: Path,
        settings: Settings,
        ends: float | None,
        stack: ExitStack,
    ):
        self._items = items
        self._given = given
        self._out = out
        self._settings = settings
        self._ends = ends
        self._stack = stack
        self._runs = all_runs(items, given, settings=settings)
        self._collections = opened(self._runs)
        self._splits: dict[tuple[object, ...], Splits] = {}
        self._sketches: dict[tuple[str, ...], dict[str, ImageSketch]] = {specs: {} for specs in self._collections}
        self._opened: dict[RowRun, _Opened] = {}
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

    def parts(self) -> Iterator[Part]:
        """Those that are open. No other begins of a run that has failed, nor when the time is up."""
        total = sum(map(self._settings.folds, self._runs))
        number, ends = total - self.left(), None
        for run in self._runs:
            waiting = self._open_folds(run)
            if not waiting or is_over(ends) or not self._open(run, waiting):
                continue
            for fold in waiting:
                if run in self._obstacles or is_over(ends):
                    break
                number += 1
                title = f"part {number} of {total}: {run.title}, fold {fold}"
                yield Part(run=run, fold=fold, folds=self._opened[run].folds, title=title, ends=ends)
                ends = self._ends

    def _open_folds(self, run: RowRun) -> list[int]:
        if run in self._obstacles or run in self._finished:
            return []
        found = open_folds(run, out=self._out, settings=self._settings)
        if not found:
            self._finished.add(run)
        return found

    def _open(self, run: RowRun, waiting: Sequence[int]) -> bool:
        """Claim and begin it, on the split that all runs with its rules share; what is in the way is told."""
        from bustle.experiments.train import opened_run

        layout, recipe = run.layout(self._out), self._settings.seeded_recipe(run)
        rules = (run.specs, run.track, run.protocol.id, recipe.data.classes, recipe.data.multi_mask)
        opening = opened_run(
            recipe,
            load_data=lambda: self._collection(run),
            out=layout.path,
            split=replace(run.split, made=self._splits.get(rules)),
            fold=0 if self._settings.smoke else None,
            resume=layout.recipe.exists(),
            device=self._settings.device,
            sketches=self._sketches[run.specs],
        )
        stack = self._stack.enter_context(ExitStack())
        try:
            folds = stack.enter_context(opening)
            self._sketches[run.specs].update(read_known_images(layout.images) or {})
        except InputError as error:
            self._cannot_go_on(run, error.in_results())
            return False
        self._splits[rules] = folds.splits
        self._opened[run] = _Opened(folds, stack, set(waiting))
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

    def take(self, done: Done) -> None:
        """Sum up its run with it, and write the items."""
        own, fold = self._opened[done.run], done.run.layout(self._out).fold(done.fold)
        own.waiting.remove(done.fold)
        try:
            if done.problem is not None:
                self._cannot_go_on(done.run, f"fold {done.fold}: {done.problem}")
            elif fold.is_scored:
                own.folds.sum_up()
            if not own.waiting:
                own.stack.close()
        except InputError as error:
            self._cannot_go_on(done.run, error.in_results())
        self.write()

    def _cannot_go_on(self, run: RowRun, problem: str) -> None:
        """The other runs do: one training that fails leaves its rows without figures, not the table."""
        self._obstacles.setdefault(run, problem)
        announce(f"bustle: {run.title}: {problem}")

    def left(self) -> int:
        return sum(len(self._open_folds(run)) for run in self._runs)

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
