"""The trials of a sweep in its folder, each a file that says what it tries and how that went.

`OUT/{sweep.json, recipe.yaml, splits.json}` are written first, `OUT/trial-NNNN/trial.json` when a trial begins and
again when it ends, `OUT/{trials.csv, best.yaml, summary.json}` from these files. The trainings stand in
`OUT/trial-NNNN/seed-S/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from bustle.core.config import from_mapping, to_mapping
from bustle.core.files import read_json, write_json
from bustle.core.run_layout import RECIPE, SPLITS, SUMMARY, TrainingFolder

State = Literal["begun", "finished", "pruned", "failed"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of `values` of the recipe's keys.

    `scores` are by seed the best epoch's value of `training.monitor` on the validation part (of a loss, with its sign
    changed: higher is better), `best_epochs` (from 1) which these are, `curve` the first seed's by epoch. A pruned
    one was given up in its first seed. `problem` is why one failed.
    """

    number: int
    values: Mapping[str, Any]
    state: State
    scores: tuple[float, ...] = ()
    best_epochs: tuple[int, ...] = ()
    curve: tuple[float, ...] = ()
    seconds: float | None = None
    problem: str | None = None

    @property
    def score(self) -> float:
        """The mean over seeds; raises `ValueError` for a trial that has none."""
        return fmean(self.scores)


@dataclass(frozen=True)
class SweepLayout:
    path: Path

    @property
    def settings(self) -> Path:
        """Written last of what a sweep begins with."""
        return self.path / "sweep.json"

    @property
    def recipe(self) -> Path:
        """What all trials change."""
        return self.path / RECIPE

    @property
    def splits(self) -> Path:
        return self.path / SPLITS

    @property
    def lock(self) -> Path:
        """Held while a trial's values are chosen, by whichever of the processes side by side does so."""
        return self.path / "trials.lock"

    @property
    def table(self) -> Path:
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The recipe of the best trial."""
        return self.path / "best.yaml"

    @property
    def summary(self) -> Path:
        return self.path / SUMMARY

    def training(self, number: int, *, seed: int) -> TrainingFolder:
        return TrainingFolder(self._folder(number) / f"seed-{seed}")

    def trial(self, number: int) -> Trial | None:
        """None of one that has not begun; raises `InputError` for a damaged file."""
        path = self._folder(number) / "trial.json"
        return from_mapping(Trial, read_json(path), where=path.name) if path.exists() else None

    def trials(self) -> list[Trial]:
        """All that have begun, by number."""
        numbers = sorted(int(path.name.removeprefix("trial-")) for path in self.path.glob("trial-[0-9]*"))
        return [trial for number in numbers if (trial := self.trial(number)) is not None]

    def write(self, trial: Trial) -> None:
        folder = self._folder(trial.number)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "trial.json", to_mapping(trial))

    def _folder(self, number: int) -> Path:
        return self.path / f"trial-{number:04d}"
