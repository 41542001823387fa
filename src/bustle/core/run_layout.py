"""Where everything stands in the folders that commands leave: a run, its folds and their stages, an evaluation.

`RUN/{recipe.yaml, splits.json, images.json, provenance.json, summary.json, report.html}` and `RUN/fold-K/`, which is
a training's folder and, once its test part is scored, an evaluation's. A fold of several stages keeps those before
the last one in `fold-K/stages/NAME/`. Nothing else names these files, so that a rule about them stands here once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bustle.core.errors import InputError
from bustle.core.own_names import OwnNames

RECIPE = "recipe.yaml"
SPLITS = "splits.json"
SUMMARY = "summary.json"
RELIABILITY = "reliability.json"
VIDEOS = "videos.json"

_FOLD = re.compile(r"fold-(0|[1-9][0-9]*)")


class TrackFiles(NamedTuple):
    """What scoring by one track's rules leaves; `detected` only of volumes in which lesions were sought."""

    cases: Path
    metrics: Path
    detected: Path

    @property
    def complete(self) -> bool:
        return self.cases.exists() and self.metrics.exists()


@dataclass(frozen=True)
class ScoredFolder:
    """Where predictions are scored: a fold, or the `--out` of `bustle evaluate`."""

    path: Path

    @property
    def main(self) -> TrackFiles:
        """The files of the track that was asked for."""
        return self._files("")

    def companion(self, track: str) -> TrackFiles:
        """The files of the other track, which bear its name."""
        return self._files(f"_{track}")

    def companions(self) -> list[TrackFiles]:
        """The other track's files where they are complete, whichever it is."""
        found = sorted(self.path.glob("metrics_*.json"))
        files = [self.companion(metrics.stem.removeprefix("metrics_")) for metrics in found]
        return [each for each in files if each.complete]

    def _files(self, suffix: str) -> TrackFiles:
        names = (f"cases{suffix}.csv", f"metrics{suffix}.json", f"detected{suffix}.json")
        return TrackFiles(*(self.path / name for name in names))

    @property
    def answers(self) -> Path:
        """One row per case as it was answered, of models that have a decision rule."""
        return self.path / "cases_answers.csv"

    @property
    def explanation(self) -> Path:
        """How far the model's explanation maps explain, where that was asked for."""
        return self.path / "explanation.json"

    @property
    def reliability(self) -> Path:
        """Whether probabilities and possible classes keep what they say."""
        return self.path / RELIABILITY

    @property
    def videos(self) -> Path:
        """The same cases by lesion and patient, where they are frames of videos."""
        return self.path / VIDEOS

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def predictions(self, *, located: bool) -> Path:
        """What is scored; `located` are those of a model that was told where a volume's lesion is."""
        return self.path / ("predictions_located" if located else "predictions")

    @property
    def is_scored(self) -> bool:
        """Whether scoring came to its end: the main track's `metrics.json` is written last."""
        return self.main.metrics.exists()


@dataclass(frozen=True)
class TrainingFolder:
    """Where one training writes: a fold, or one of its earlier stages."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state after the last epoch that was written."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def weights(self) -> Path:
        """The network of the chosen epoch."""
        return self.path / "best.safetensors"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def has_epoch(self) -> bool:
        """Whether a finished epoch is there to go on from."""
        return self.checkpoint.exists()


@dataclass(frozen=True)
class FoldLayout(TrainingFolder, ScoredFolder):
    """`RUN/fold-K`: trained, then scored."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def decision(self) -> Path:
        """The rule by which the network's outputs become answers."""
        return self.path / "decision.json"

    @property
    def calibration(self) -> Path:
        """What the network says about its validation part, from which rules are fitted."""
        return self.path / "calibration.json"

    @property
    def number(self) -> int:
        return int(self.name.removeprefix("fold-"))

    def stage(self, name: str) -> TrainingFolder:
        """The folder of a stage before the last one, which has the fold's own."""
        return TrainingFolder(self.path / "stages" / name)

    def earlier_stages(self) -> list[TrainingFolder]:
        """Those that were begun, by name; none in a fold of one training."""
        return [TrainingFolder(path) for path in sorted(self.path.glob("stages/*")) if path.is_dir()]

    @property
    def is_begun(self) -> bool:
        """Whether any of its trainings has finished an epoch."""
        return any(training.has_epoch for training in (self, *self.earlier_stages()))

    @property
    def is_finished(self) -> bool:
        """Whether it is trained and scored."""
        return self.weights.exists() and self.is_scored


@dataclass(frozen=True)
class RunLayout:
    """The folder of one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / RECIPE

    @property
    def splits(self) -> Path:
        return self.path / SPLITS

    @property
    def images(self) -> Path:
        """By what each case's image is known again."""
        return self.path / "images.json"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def summary(self) -> Path:
        return self.path / SUMMARY

    @property
    def reliability(self) -> Path:
        """As of a fold, of all folds' cases together and by fold."""
        return self.path / RELIABILITY

    @property
    def decision(self) -> Path:
        """The rule for the mean of all folds."""
        return self.path / "decision.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def is_run(self) -> bool:
        return self.recipe.exists()

    def fold(self, number: int) -> FoldLayout:
        return FoldLayout(self.path / f"fold-{number}")

    def folds(self) -> list[FoldLayout]:
        """The folders of folds that are there, by number; whatever is named otherwise is none."""
        found = [
            FoldLayout(path) for path in self.path.glob("fold-*") if _FOLD.fullmatch(path.name) and path.is_dir()
        ]
        return sorted(found, key=lambda fold: fold.number)

    def scored_folds(self) -> list[FoldLayout]:
        return [fold for fold in self.folds() if fold.is_scored]


@dataclass(frozen=True)
class ComparisonFolder:
    """The `--out` of `bustle compare`."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "comparison.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"


@dataclass(frozen=True)
class ResultsFolder:
    """The `--to` of `bustle results add`: one file for each run, and the splits that they share."""

    path: Path

    def run(self, name: str) -> Path:
        return self.path / f"{name}.json"

    def runs(self) -> list[Path]:
        """The files of all runs, by name."""
        return sorted(self.path.glob("*.json"))

    def split(self, digest: str) -> Path:
        """The split whose file has this SHA-256."""
        return self.path / "splits" / f"{digest[:12]}.json"


class NamedRun(NamedTuple):
    """What a person's path names: a run, or one `fold` of it."""

    run: RunLayout
    fold: FoldLayout | None

    def opened(self) -> NamedRun:
        """Itself; raises `InputError` unless there is a run."""
        if not self.run.is_run:
            path = self.run.path if self.fold is None else self.fold.path
            problem = f"is not a run folder (no {self.run.recipe.name})" if path.is_dir() else "is not a folder"
            raise InputError(problem, remedy="give one that `bustle train` made", path=path)
        return self

    def finished_folds(self) -> list[FoldLayout]:
        """The fold that is named, once it has weights, else all finished ones; raises `InputError` without any."""
        folds = [fold for fold in self.run.folds() if fold.is_finished] if self.fold is None else [self.fold]
        if not folds:
            raise InputError("has no finished fold", remedy="finish its training with --resume", path=self.run.path)
        for fold in folds:
            if not fold.weights.exists():
                problem = f"has no {fold.weights.name} yet" if fold.path.is_dir() else "is not a folder"
                raise InputError(problem, remedy="finish its training with --resume", path=fold.path)
        return folds


def named_run(path: Path, *, fold: int | None = None) -> NamedRun:
    """`RUN` (of which `fold` may choose one) or `RUN/fold-K`, whether it is there or not."""
    run = RunLayout(path)
    if fold is not None:
        return NamedRun(run, run.fold(fold))
    resolved = path.resolve()
    if not run.is_run and _FOLD.fullmatch(resolved.name):
        return NamedRun(RunLayout(resolved.parent), FoldLayout(resolved))
    return NamedRun(run, None)


def is_training_folder(path: Path) -> bool:
    """Whether a run's or a fold's own files stand in a folder."""
    return RunLayout(path).is_run or TrainingFolder(path).checkpoint.parent.exists()


def evaluation_names(predictions: OwnNames) -> OwnNames:
    """What an evaluation leaves in its folder; `predictions` are the names below a folder of them."""
    return OwnNames(
        files=(*_scoring_files(), RELIABILITY, VIDEOS, "explanation.json", "report.html"),
        folders=_prediction_folders(predictions),
        signed_by=("metrics.json",),
    )


def comparison_names() -> OwnNames:
    """What a comparison leaves in its folder."""
    return OwnNames(files=("comparison.json", "report.html"), signed_by=("comparison.json",))


def training_names() -> OwnNames:
    """What the trainings of one fold leave in its folder."""
    files = ("best.safetensors", "metrics.csv")
    folders = {
        "checkpoints": OwnNames(files=("last.ckpt",)),
        "tensorboard": OwnNames(files=("events.out.tfevents.*",)),
    }
    return OwnNames(files, {**folders, "stages": OwnNames(folders={"*": OwnNames(files, folders)})})


def run_names(predictions: OwnNames) -> OwnNames:
    """What a run leaves in its folder; `predictions` are the names below a folder of them."""
    training = training_names()
    fold = OwnNames(
        files=(*training.files, "decision.json", "calibration.json", *_scoring_files(), RELIABILITY, "report.html"),
        folders={**training.folders, **_prediction_folders(predictions)},
    )
    return OwnNames(
        files=(
            *(RECIPE, SPLITS, "images.json", "provenance.json"),
            *(SUMMARY, RELIABILITY, "decision.json", "report.html"),
        ),
        folders={"fold-[0-9]": fold, "fold-[1-9][0-9]": fold},
        signed_by=(RECIPE,),
    )


def _scoring_files() -> tuple[str, ...]:
    folder = ScoredFolder(Path())
    return tuple(path.name for files in (folder.main, folder.companion("*")) for path in files)


def _prediction_folders(predictions: OwnNames) -> dict[str, OwnNames]:
    return {"predictions": predictions, "predictions_located": predictions}
