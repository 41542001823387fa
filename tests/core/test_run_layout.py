"""Which folders are folds, which of them are trained and scored, and what a person's path names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.run_layout import RunLayout, ScoredFolder, is_training_folder, named_run


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    """Folds 0, 2 and 10 are finished, 3 is half scored, 4 has one stage; the rest is none of the run's."""
    run = RunLayout(tmp_path / "run")
    touch(run.recipe)
    for number in (10, 2, 0):
        fold = run.fold(number)
        touch(fold.weights, fold.checkpoint, fold.main.cases, fold.main.metrics)
    half = run.fold(3)
    touch(half.weights, half.checkpoint, half.main.cases, half.report)
    touch(run.fold(4).stage("first").checkpoint)
    for stray in ("fold-x", "fold-01", "fold-", "fold-1.bak", "fold--1", "fold-²"):
        touch(run.path / stray / "best.safetensors", run.path / stray / "metrics.json")
    touch(run.path / "fold-1")  # a file
    return run


def test_folds_in_the_order_of_their_numbers_and_nothing_else(run: RunLayout):
    assert [fold.number for fold in run.folds()] == [0, 2, 3, 4, 10]
    assert [fold.name for fold in run.scored_folds()] == ["fold-0", "fold-2", "fold-10"]
    assert [fold.number for fold in run.folds() if fold.is_begun] == [0, 2, 3, 4, 10]
    assert [stage.path.name for stage in run.fold(4).earlier_stages()] == ["first"]
    assert not RunLayout(run.path / "absent").folds()


def test_a_fold_without_its_last_written_file_is_not_scored(run: RunLayout):
    half = run.fold(3)
    assert half.weights.exists()
    assert not half.is_scored
    assert not half.is_finished
    touch(half.main.metrics)
    assert half.is_finished


def test_a_path_names_a_run_or_one_fold_of_it(run: RunLayout, monkeypatch: pytest.MonkeyPatch):
    assert [fold.number for fold in named_run(run.path).opened().finished_folds()] == [0, 2, 10]
    for named in (named_run(run.path / "fold-3"), named_run(run.path, fold=3)):
        assert named.opened().run.recipe == run.recipe
        assert [fold.number for fold in named.finished_folds()] == [3], "it may be used before it is scored"
    monkeypatch.chdir(run.fold(2).path)
    (here,) = named_run(Path()).opened().finished_folds()
    assert here.number == 2


def test_a_run_may_be_called_like_a_fold(tmp_path: Path):
    run = RunLayout(tmp_path / "fold-7")
    touch(run.recipe, run.fold(0).weights, run.fold(0).main.metrics)
    assert [fold.number for fold in named_run(run.path).finished_folds()] == [0]


@pytest.mark.parametrize(
    ("path", "fold", "said"),
    [
        ("absent", None, "absent: is not a folder"),
        ("run/fold-x", None, r"fold-x: is not a run folder \(no recipe\.yaml\)"),
        ("run/fold-01", None, r"fold-01: is not a run folder"),
        ("run/fold-1", None, "fold-1: is not a folder"),
        ("run/fold-4", None, r"fold-4: has no best\.safetensors yet; finish its training with --resume"),
        ("run", 9, "fold-9: is not a folder"),
    ],
)
def test_what_cannot_be_opened_is_said_in_one_line(run: RunLayout, path: str, fold: int | None, said: str):
    with pytest.raises(InputError, match=said):
        named_run(run.path.parent / path, fold=fold).opened().finished_folds()


def test_a_run_without_a_finished_fold(run: RunLayout):
    for number in (0, 2, 10):
        run.fold(number).main.metrics.unlink()
    with pytest.raises(InputError, match="has no finished fold; finish its training with --resume"):
        named_run(run.path).finished_folds()


def test_the_files_of_the_other_track_bear_its_name(tmp_path: Path):
    folder = ScoredFolder(tmp_path)
    assert [path.name for path in folder.main] == ["cases.csv", "metrics.json", "detected.json"]
    other = folder.companion("strict")
    assert [path.name for path in other] == ["cases_strict.csv", "metrics_strict.json", "detected_strict.json"]
    touch(folder.main.metrics, other.metrics)
    assert folder.companions() == []
    touch(other.cases)
    assert folder.companions() == [other]
    assert folder.predictions(located=True) != folder.predictions(located=False)


def test_where_training_writes(run: RunLayout, tmp_path: Path):
    assert is_training_folder(run.path)
    assert is_training_folder(run.fold(0).path)
    assert not is_training_folder(tmp_path)
