"""Training, evaluating and comparing: work whose results lie in a folder and are returned as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bustle.core.extras import naming_the_extra
from bustle.core.paths import given_path
from bustle.library.data import Data, opened
from bustle.library.guest import as_a_guest

if TYPE_CHECKING:
    from bustle.core.explanation import ExplanationMethod
    from bustle.core.recipe import Track
    from bustle.data.splits.splits import Splits
    from bustle.evaluation.comparison_results import Comparison
    from bustle.evaluation.results import RunResult, TrackResult
    from bustle.experiments.scored_pairs import Missing
    from bustle.inference.predictor import Predictor


@naming_the_extra()
@as_a_guest()
def train(
    recipe: str | Path,
    *,
    data: Data,
    out: str | Path,
    changes: Mapping[str, Any] | None = None,
    folds: int | None = None,
    holdout: float | None = None,
    splits: Splits | str | Path | None = None,
    fold: int | None = None,
    track: Track = "strict",
    protocol: str | None = None,
    resume: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    init: str | Path | None = None,
) -> RunResult:
    """Train a recipe, predict the test part of each fold and score it. Needs PyTorch (the extra `train`).

    Args:
        recipe: a shipped id (`"rmtl_net_cpu"`, `"rmtl_net/mtl-net"`) or the path of a YAML file.
        data: what `open_data` returned, or its specs.
        out: the run folder to write.
        changes: of the recipe, by the path of the key: `{"training.epochs": 5, "losses.0.weight": 0.5}`.
        folds: the number of folds; the protocol's by default.
        holdout: instead of folds, the fraction (0..1) of the cases that the one fold tests on.
        splits: instead of both, what `split` returned, or the file that it wrote.
        fold: train this fold only (from 0).
        track: how cases are split and scored: `"strict"`, or `"published"` as the paper did. Both are always scored.
        protocol: the published track's protocol; the recipe's own by default.
        resume: go on after the last finished epoch of such a run in `out`.
        device: `"auto"` takes a GPU if there is one.
        init: a safetensors file to start from, of a whole model or a timm encoder.

    Returns:
        The run's result, which `out/summary.json` holds too.

    Raises:
        InputError: for wrong input, before anything is trained; for a loss that is not a number and a full disk,
            after which `resume=True` goes on.
    """
    from bustle.core.config import assignment
    from bustle.core.recipe import load_recipe
    from bustle.experiments.planned_run import SplitChoice
    from bustle.experiments.train import run_training

    changed = [assignment(path, value) for path, value in (changes or {}).items()]
    return run_training(
        load_recipe(str(recipe), overrides=changed),
        load_data=lambda: opened(data),
        out=given_path(out),
        split=SplitChoice(
            track=track,
            published_protocol=protocol,
            folds=folds,
            holdout=holdout,
            made=given_path(splits) if isinstance(splits, str) else splits,
        ),
        fold=fold,
        resume=resume,
        device=device,
        init=None if init is None else given_path(init),
    )


@naming_the_extra()
@as_a_guest()
def evaluate(
    method: Predictor | str | Path,
    *,
    data: Data,
    out: str | Path,
    track: Track = "strict",
    protocol: str | None = None,
    groups: str | Path = "patient",
    missing: Missing = "error",
    skip_damaged: bool = False,
    explain: bool | Sequence[ExplanationMethod] = False,
) -> TrackResult:
    """Score a model, or the masks of any other tool, on annotated data.

    Args:
        method: what `load_model` returned, or the path of a run or a package; any other folder holds predictions:
            `<stem>.png` or `<case_id>/mask.png`, and optionally `probabilities.csv`.
        data: what `open_data` returned, or its specs.
        out: the folder for `metrics.json`, `cases.csv` and `report.html`.
        track: the main track, `"strict"` or `"published"`.
        protocol: the published track's protocol; of a model, its recipe's own by default.
        groups: what the intervals resample as a whole: `"patient"`, `"file"`, `"duplicates"`, or the path of an
            `audit.json`.
        missing: of predictions, what a case without one is: an `"error"`, or `"as-empty"`.
        skip_damaged: leaves out cases whose image or mask cannot be read or does not fit, and names them among the
            result's warnings; otherwise they are refused before anything is predicted.
        explain: of a model, also check whether its explanation maps explain, by the methods named, or with True by
            the best that it offers.

    Returns:
        The scores with their intervals, which `out/metrics.json` holds too.

    Raises:
        InputError: for wrong input, missing or broken predictions, and an `out` that holds a training run.
    """
    from bustle.experiments.evaluate import evaluate as evaluated
    from bustle.inference.predictor import Predictor, is_model

    def model() -> Predictor:
        return method if isinstance(method, Predictor) else Predictor.open(given_path(method))

    return evaluated(
        model if isinstance(method, Predictor) or is_model(given_path(method)) else given_path(method),
        load_data=lambda: opened(data),
        out=given_path(out),
        track=track,
        protocol=protocol,
        groups=str(groups),
        missing=missing,
        skip_damaged=skip_damaged,
        explain=() if explain is True else explain or None,
    )


@naming_the_extra()
@as_a_guest()
def compare(runs: Sequence[str | Path | Sequence[str | Path]], *, out: str | Path) -> Comparison:
    """How far runs differ on the same test cases, and whether chance explains it.

    Args:
        runs: two or more run folders, folds (`"run/fold-0"`), results of `evaluate` or files of `bustle results add`;
            the first is the reference. A sequence of them is the repeats of one method with other seeds.
        out: the folder for `comparison.json` and `report.html`.

    Returns:
        Differences, intervals and tests, which `out/comparison.json` holds too.

    Raises:
        InputError: for results that cannot be compared, and for an `out` that holds other results.
    """
    from bustle.experiments.compare import compare_runs

    given = [
        given_path(run) if isinstance(run, str | Path) else [given_path(repeat) for repeat in run] for run in runs
    ]
    return compare_runs(given, out=given_path(out))
