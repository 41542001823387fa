"""A sweep chooses on validation alone, keeps what is done, and gives up what promises nothing."""

from __future__ import annotations

import csv
import json
import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bustle.cli.main import main
from bustle.core.errors import InputError, TrainingInterruptedError
from bustle.core.learning_curve import Row
from bustle.core.recipe import Stage, load_recipe
from bustle.core.types import Case, Collection
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold, Splits
from bustle.experiments.engines.engine import LocalEngine, Shown
from bustle.experiments.planned_run import SplitChoice
from bustle.experiments.sweep.proposals import is_hopeless, propose
from bustle.experiments.sweep.space import combinations, parse_dimension
from bustle.experiments.sweep.sweep import SweepSummary, run_sweep
from bustle.experiments.sweep.trials import Trial
from bustle.training.run import TrainedFold
from bustle.training.stages import stages_of

TINY = str(Path(__file__).parents[1] / "training" / "tiny.yaml")
RATE = parse_dimension("optimizer.lr=log(1e-4,1e-1)")


def split_of(collection: Collection) -> SplitChoice:
    ids = [case.case_id for case in collection.cases]
    fold = Fold(train=tuple(ids[:6]), val=tuple(ids[6:9]), test=tuple(ids[9:]))
    groups = {case_id: case_id for case_id in ids}
    return SplitChoice(
        made=Splits(track="strict", protocol="strict", seed=0, folds=(fold,), excluded=(), groups=groups)
    )


@pytest.fixture(scope="module")
def collection() -> Collection:
    return open_sources(["phantom:?cases=12&seed=0&size=64"])


class Trained:
    """In place of `train_fold`: the validation Dice rises by epoch to what `dice` says of the recipe."""

    def __init__(self, dice: Callable[[Any], float]):
        self.dice = dice
        self.seen: list[tuple[Path, float]] = []
        self.cases: set[str] = set()

    def __call__(
        self, recipe: Any, *, cases: Sequence[Case], fold: Fold, out: Path, give_up: Any, **rest: Any
    ) -> TrainedFold:
        assert not fold.test
        self.cases |= {case.case_id for case in cases}
        self.seen.append((out, recipe.optimizer.options["lr"]))
        best, history = self.dice(recipe), list[Row]()
        for epoch in range(1, recipe.training.epochs + 1):
            dice = best * epoch / recipe.training.epochs
            history.append({"epoch": epoch, "val_loss": 1.0, "val_dice": dice, "seconds": 0.0})
            if give_up is not None and give_up(history):
                break
        return TrainedFold(out, len(history), len(history), history)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    made = Trained(lambda recipe: 1 - abs(recipe.optimizer.options["lr"] - 0.01))
    monkeypatch.setattr("bustle.training.run.train_fold", made)
    return made


def sweep(collection: Collection, out: Path, *, over: Sequence[Any] = (RATE,), **rest: Any) -> SweepSummary:
    rest = {"trials": 4, "split": split_of(collection), **rest}
    return run_sweep(load_recipe(TINY), load_data=lambda: collection, out=out, space=over, **rest)


def test_the_best_trial_becomes_a_recipe_and_no_test_case_is_given_to_any(
    collection: Collection, trained: Trained, tmp_path: Path
):
    summary = sweep(collection, tmp_path / "out")
    assert trained.cases == {case.case_id for case in collection.cases[:9]}
    rates = [rate for _, rate in trained.seen]
    assert len(set(rates)) == 4
    best = min(rates, key=lambda rate: abs(rate - 0.01))
    recipe = load_recipe(str(tmp_path / "out" / "best.yaml"))
    assert recipe.optimizer.options["lr"] == best == summary.trials[0].values["optimizer.lr"]
    assert "best of 4 trials" in recipe.deviations[-1]
    with (tmp_path / "out" / "trials.csv").open(newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    assert scores == sorted(scores, reverse=True)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["trials"][0]["scores"] == scores[:1]


def test_a_kill_costs_no_finished_trial_and_changes_none(
    collection: Collection, trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    whole = sweep(collection, tmp_path / "whole")

    def killed(recipe: Any, **rest: Any) -> TrainedFold:
        if len(trained.seen) == 6:
            raise TrainingInterruptedError("interrupted", remedy="go on")
        return trained(recipe, **rest)

    monkeypatch.setattr("bustle.training.run.train_fold", killed)
    with pytest.raises(TrainingInterruptedError):
        sweep(collection, tmp_path / "out")
    monkeypatch.setattr("bustle.training.run.train_fold", trained)
    with pytest.raises(InputError, match="holds a sweep"):
        sweep(collection, tmp_path / "out")
    del trained.seen[:]
    resumed = sweep(collection, tmp_path / "out", resume=True)
    assert [out.parent.name for out, _ in trained.seen] == ["trial-0002", "trial-0003"]
    assert [trial.values for trial in resumed.trials] == [trial.values for trial in whole.trials]
    assert len(sweep(collection, tmp_path / "out", resume=True, trials=6).trials) == 6, "more can follow"
    with pytest.raises(InputError, match="differs in --over, --seeds, --no-pruning;"):
        sweep(
            collection,
            tmp_path / "out",
            over=[parse_dimension("optimizer.lr=log(1e-4,1)")],
            resume=True,
            seeds=2,
            prune=False,
        )


def test_all_combinations_of_choices_each_with_several_seeds(
    collection: Collection, trained: Trained, tmp_path: Path
):
    trained.dice = lambda recipe: 0.5 + recipe.optimizer.options["lr"] + 0.01 * (recipe.training.seed % 2)
    over = [parse_dimension(text) for text in ("optimizer.lr=choice(0.001,0.01)", "training.batch_size=choice(2,4)")]
    summary = sweep(collection, tmp_path, over=over, trials=None, seeds=2)
    assert len(trained.seen) == 8
    assert [trial.number for trial in summary.trials] == [2, 3, 0, 1]
    assert summary.trials[0].scores == pytest.approx((0.51, 0.52))
    assert summary.trials[0].score == pytest.approx(0.515)


def test_no_values_are_trained_twice(
    collection: Collection, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    over = [parse_dimension(text) for text in ("optimizer.lr=choice(1e-3,0.01)", "training.batch_size=int(3,4)")]
    for count in (3, 8):
        summary = sweep(collection, tmp_path, over=over, trials=count, resume=count > 3)
        tried = [tuple(trial.values.values()) for trial in summary.trials]
        assert len(set(tried)) == len(tried) == len(trained.seen) == min(count, 4)
    assert capsys.readouterr().err.count("--over has 4 settings in all: each is trained once, not 8 trials") == 1
    assert set(tried) == {(0.001, 3), (0.001, 4), (0.01, 3), (0.01, 4)}


class SideBySide(LocalEngine):
    """Two trials at a time."""

    def run(self, work: Callable[[Any], None], tasks: Iterable[Any], *, shown: Shown) -> None:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work, tasks))


def test_trials_side_by_side_never_draw_the_same_values(
    collection: Collection, trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def slow(space: Sequence[Any], trials: Sequence[Trial], **rest: Any) -> dict[str, Any]:
        time.sleep(0.02)
        return next(values for values in combinations(space) if values not in [trial.values for trial in trials])

    monkeypatch.setattr("bustle.experiments.sweep.trial_training.propose", slow)
    over = [parse_dimension("training.batch_size=int(2,5)")]
    summary = sweep(collection, tmp_path, over=over, trials=3, engine=SideBySide())
    assert sorted(trial.values["training.batch_size"] for trial in summary.trials) == [2, 3, 4]
    assert not list(tmp_path.glob("*.lock"))


def test_of_a_finished_trial_no_weights_of_any_stage_are_kept(
    collection: Collection, trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def with_weights(recipe: Any, *, out: Path, **rest: Any) -> TrainedFold:
        for stage in stages_of(recipe, folder=out):
            (stage.folder / "checkpoints").mkdir(parents=True)
            (stage.folder / "checkpoints" / "last.ckpt").touch()
            (stage.folder / "best.safetensors").touch()
            (stage.folder / "metrics.csv").touch()
        return trained(recipe, out=out, **rest)

    monkeypatch.setattr("bustle.training.run.train_fold", with_weights)
    recipe = replace(load_recipe(TINY), stages=(Stage(name="first"), Stage(name="second")))
    run_sweep(recipe, load_data=lambda: collection, out=tmp_path, space=[RATE], trials=1, split=split_of(collection))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("trial-*/**/*") if path.is_file())
    folder = "trial-0000/seed-0"
    assert left == [f"{folder}/metrics.csv", f"{folder}/stages/first/metrics.csv", "trial-0000/trial.json"]


def test_the_command_that_tests_the_best_trains_what_was_swept(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    trial = Trial(number=0, values={"optimizer.lr": 0.1}, state="finished", scores=(0.5,), best_epochs=(1,))
    summary = SweepSummary(title="Tiny", monitor="dice", fold=1, seeds=1, validation_cases=3, trials=(trial,))
    monkeypatch.setattr("bustle.experiments.sweep.sweep.run_sweep", lambda *_, **__: summary)
    out = tmp_path / "my sweep"
    words = ["sweep", TINY, "--data", "phantom:?cases=12", "--over", "optimizer.lr=choice(0.1,1)", "--fold", "1"]
    chosen = ["--track", "published", "--protocol", "lanet", "--init", "start.safetensors"]
    assert main([*words, *chosen, "--out", str(out)]) == 0
    told = shlex.split(capsys.readouterr().out.split("test the best once: ")[1])
    best = [str(out / "best.yaml"), "--splits", str(out / "splits.json"), "--fold", "1"]
    assert told == ["bustle", "train", *best, *chosen, "--data", "…", "--out", "…"]


def test_one_that_fails_is_told_and_tried_again_and_all_that_fail_end_the_sweep(
    collection: Collection, trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def diverges(recipe: Any, **rest: Any) -> TrainedFold:
        if recipe.optimizer.options["lr"] > limit:
            raise InputError("the loss is nan", remedy="lower it")
        return trained(recipe, **rest)

    monkeypatch.setattr("bustle.training.run.train_fold", diverges)
    over, limit = [parse_dimension("optimizer.lr=choice(0.001,0.1)")], 0.01
    summary = sweep(collection, tmp_path / "one", over=over, trials=None)
    assert [trial.state for trial in summary.trials] == ["finished", "failed"]
    assert summary.trials[1].problem == "the loss is nan; lower it"
    limit = 1.0
    again = sweep(collection, tmp_path / "one", over=over, trials=None, resume=True)
    assert [trial.state for trial in again.trials] == ["finished", "finished"]
    limit = 0.0
    with pytest.raises(InputError, match="no trial was finished; of the last: the loss is nan"):
        sweep(collection, tmp_path / "all", over=over, trials=None)


def test_a_curve_below_the_median_is_given_up(collection: Collection, trained: Trained, tmp_path: Path):
    choices = ",".join(str(rate) for rate in (0.9, 0.8, 0.7, 0.6, 0.5, 0.1, 0.95))
    trained.dice = lambda recipe: recipe.optimizer.options["lr"]
    over = [parse_dimension(f"optimizer.lr=choice({choices})")]
    summary = sweep(collection, tmp_path / "pruned", over=over, trials=None)
    assert [(trial.number, trial.state) for trial in summary.trials][-1] == (5, "pruned")
    assert [len(trial.curve) for trial in summary.trials] == [3] * 6 + [1]
    whole = sweep(collection, tmp_path / "whole", over=over, trials=None, prune=False)
    assert {trial.state for trial in whole.trials} == {"finished"}


def test_proposals_learn_from_what_has_been_tried():
    def tried(number: int, rate: float) -> Trial:
        score = -abs(rate - 0.01)
        return Trial(number=number, values={"optimizer.lr": rate}, state="finished", scores=(score,), curve=(score,))

    drawn = [propose([RATE], [], number=number, seed=0)["optimizer.lr"] for number in range(12)]
    known = [tried(number, rate) for number, rate in enumerate(drawn)]
    learned = [propose([RATE], known, number=number, seed=0)["optimizer.lr"] for number in range(12, 24)]
    assert learned == [propose([RATE], known, number=number, seed=0)["optimizer.lr"] for number in range(12, 24)]
    assert min(drawn) >= 1e-4
    assert max(drawn) <= 1e-1
    near = [sum(0.003 < rate < 0.03 for rate in rates) for rates in (drawn, learned)]
    assert near[1] > near[0]


def test_what_was_tried_is_not_proposed_again():
    size = parse_dimension("training.batch_size=int(2,300)")
    tried = [Trial(number=i, values={"training.batch_size": 2 + i}, state="failed") for i in range(298)]
    for number in range(298, 303):
        assert propose([size], tried, number=number, seed=0) == {"training.batch_size": 300}


def test_no_trial_is_hopeless_before_enough_have_finished_and_a_third_of_it_is_done():
    good = [
        Trial(number=i, values={"optimizer.lr": 0.01 + i / 1000}, state="finished", scores=(1.0,), curve=(1.0,) * 9)
        for i in range(5)
    ]
    bad = Trial(number=9, values={"optimizer.lr": 0.1}, state="begun", curve=(0.1,) * 3)
    assert is_hopeless([RATE], good, bad, epochs=9)
    assert not is_hopeless([RATE], good[1:], bad, epochs=9)
    assert not is_hopeless([RATE], [*good[1:], replace(good[1], number=0)], bad, epochs=9), "a repeat counts not"
    assert not is_hopeless([RATE], good, bad, epochs=15)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("optimizer.lr", "says not which values"),
        ("optimizer.lr=normal(0,1)", "says not which values"),
        ("optimizer.lr=log(0,1)", "needs two numbers above 0"),
        ("optimizer.lr=uniform(2,1)", "the smaller first"),
        ("training.batch_size=int(2,3.5)", "needs two whole numbers"),
        ("training.batch_size=choice(2)", "two different values"),
        ("optimizer.lr=choice(1e-3,0.001)", "two different values"),
        ("optimizer.rate=log(1e-4,1e-2)", "rate"),
        ("training.batch_size=choice(4,1)", "value 1: training.batch_size is 1"),
        ("training.monitor=choice(dice,auc)", "what trials are compared by"),
        ("training.channels_last=choice(true,auto)", "takes no auto"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_data_is_read(
    over: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    command = ["sweep", TINY, "--data", f"folder:{tmp_path}", "--over", over, "--trials", "2", "--out", str(out)]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_a_published_protocol_that_validates_on_its_test_part_is_refused(collection: Collection, tmp_path: Path):
    with pytest.raises(InputError, match="no validation part beside its test part"):
        sweep(collection, tmp_path / "out", split=SplitChoice(track="published", published_protocol="acsnet"))


def test_values_without_end_need_a_number_of_trials(collection: Collection, tmp_path: Path):
    with pytest.raises(InputError, match="--trials N"):
        sweep(collection, tmp_path / "out", trials=None)
