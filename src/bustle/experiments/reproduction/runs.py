"""The runs behind the rows of tables, each made once for all of them, fold by fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bustle.core.recipe import Protocol, Recipe, Track, load_recipe, protocol_of
from bustle.core.run_layout import RunLayout
from bustle.evaluation.result_files import read_run
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.reproduction.given_data import GivenData, RowData
from bustle.experiments.reproduction.items import Item
from bustle.experiments.reproduction.printed_rows import PrintedRow, rows_of
from bustle.experiments.reproduction.smoke import small_recipe

TRACKS: tuple[Track, ...] = ("published", "strict")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is asked for: `smoke` for the small form, `overrides` of every recipe, one repeat for each of `seeds`."""

    smoke: bool = False
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    device: str = "auto"

    def recipe(self, name: str) -> Recipe:
        if self.smoke:
            return small_recipe(name, overrides=self.overrides)
        return load_recipe(name, overrides=self.overrides)

    def folds(self, run: RowRun) -> int:
        """How many of the run's folds are trained."""
        return 1 if self.smoke else run.protocol.folds

    def seeded_recipe(self, run: RowRun) -> Recipe:
        """The run's recipe, whose seed is the recipe's plus the run's."""
        recipe = self.recipe(run.recipe)
        return replace(recipe, training=replace(recipe.training, seed=recipe.training.seed + run.seed))


@dataclass(frozen=True, kw_only=True)
class RowRun:
    """One training of a recipe on data, by one track's rules and with one seed; equal ones are the same run."""

    recipe: str
    specs: tuple[str, ...]
    names: tuple[str, ...]
    published_protocol: str
    track: Track
    seed: int

    @property
    def folder(self) -> Path:
        """Below the reproduction's folder."""
        sources = "+".join(self.names)
        name = self.recipe.replace("/", "-").replace("@", "-")
        return Path("runs") / f"{name}-on-{sources}" / self.track / f"seed-{self.seed}"

    @property
    def title(self) -> str:
        return f"{self.recipe}, {self.track}, seed {self.seed}"

    def layout(self, out: Path) -> RunLayout:
        return RunLayout(out / self.folder)

    @property
    def protocol(self) -> Protocol:
        return protocol_of(self.track, self.published_protocol)

    @property
    def split(self) -> SplitChoice:
        return SplitChoice(track=self.track, published_protocol=self.published_protocol)


@dataclass(frozen=True, kw_only=True)
class Work:
    """A row with what its runs train on, or why it has none. `beside` are data sets that the paper trained on too."""

    row: PrintedRow
    data: RowData | str
    beside: str = ""


def work_of(item: Item, given: GivenData) -> list[Work]:
    return [
        Work(row=row, data="" if row.counted else given.of_row(row, item), beside=given.missing_beside(row, item))
        for row in rows_of(item)
    ]


def runs_of(work: Work, item: Item, *, settings: Settings) -> list[RowRun]:
    """By recipe, then by track, then by seed; none for a row without data."""
    if isinstance(work.data, str):
        return []
    return [
        RowRun(
            recipe=recipe,
            specs=work.data.specs,
            names=work.data.names,
            published_protocol=item.section.protocol,
            track=track,
            seed=seed,
        )
        for recipe in work.row.recipes
        for track in TRACKS
        for seed in settings.seeds
    ]


def all_runs(items: Sequence[Item], given: GivenData, *, settings: Settings) -> list[RowRun]:
    """Those of all items, each once, in the order of the rows."""
    found = [run for item in items for work in work_of(item, given) for run in runs_of(work, item, settings=settings)]
    return list(dict.fromkeys(found))


def open_folds(run: RowRun, *, out: Path, settings: Settings) -> list[int]:
    """The folds that are still to be scored, or summed up: a command may be killed between the two."""
    layout = run.layout(out)
    summed_up = {fold.fold for fold in read_run(layout.summary).folds} if layout.summary.exists() else set[int]()
    return [fold for fold in range(settings.folds(run)) if not layout.fold(fold).is_scored or fold not in summed_up]
