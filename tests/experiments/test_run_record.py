"""A run as one file: it holds what the folder held, and the files under `results/` hold together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.experiments.made_run import write_run

from bustle.core.config import to_mapping
from bustle.core.files import read_json, sha256_of_file
from bustle.core.recipe import load_protocol, load_recipe
from bustle.core.run_layout import ResultsFolder, RunLayout
from bustle.data.splits.split_file import read_splits
from bustle.evaluation.case_table import read_cases
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.metrics import CATALOGUES
from bustle.evaluation.result_files import read_run, read_track
from bustle.evaluation.results import TrackResult
from bustle.evaluation.summary import Scoring, summarise
from bustle.experiments.add_result import add_result
from bustle.experiments.compare import compare_runs
from bustle.experiments.run_record_file import read_record, write_record
from bustle.experiments.scored_track import detection_figures, read_detected

COMMITTED = ResultsFolder(Path(__file__).parents[2] / "results")
FILES = COMMITTED.runs()


@pytest.mark.parametrize("folds", [(range(12),), (range(6), range(6, 12)), (range(0, 12, 2), range(1, 12, 2))])
def test_the_file_holds_what_the_folder_held(folds, tmp_path):
    """In the last case a fold lacks the figures of a class, so that they cannot be a difference from the run's."""
    write_run(tmp_path / "run", folds=folds)
    run = RunLayout(tmp_path / "run")
    added = add_result(run.path, to=tmp_path / "kept")
    record = read_record(added.run)
    assert record.recipe == load_recipe(str(run.recipe))
    assert to_mapping(record.provenance) == read_json(run.provenance)
    assert record.result == read_run(run.summary)
    assert record.splits == sha256_of_file(added.splits)
    assert read_splits(added.splits) == read_splits(run.splits)
    assert len(record.folds) == len(folds)
    for number, fold in enumerate(record.folds):
        folder = run.fold(number)
        for track, files in ((fold.main, folder.main), (fold.companion, folder.companion("published"))):
            assert TrackResult.of(track.scores, fold.circumstances) == read_track(files.metrics)
            assert list(track.cases) == read_cases(files.cases)
            assert list(track.detected) == read_detected(files.detected)
        assert fold.history[1] == {"epoch": 2, "train_loss": 0.5, "val_auc": None, "seconds": 2 / 3}
        assert {name: len(rows) for name, rows in fold.earlier_stages.items()} == {"located": 2}


def test_figures_that_a_fold_shares_with_the_run_stand_once(tmp_path):
    write_run(tmp_path / "run", folds=(range(12),))
    content = json.loads(add_result(tmp_path / "run", to=tmp_path).run.read_text())
    assert content["result"]["pooled"]["by_source"] == {"made": None}
    (fold,) = content["folds"]
    assert "classification" not in fold["main"]["scores"]["by_label"].get("benign", {})
    told = fold["main"]["scores"]["segmentation"]["estimates"]
    assert "mean" in told, "of cases that were not rounded yet"
    assert not {"metric", "unit", "n"} & set(told)


def test_a_file_is_compared_as_its_run_is(tmp_path):
    write_run(tmp_path / "runs" / "a")
    write_run(tmp_path / "runs" / "b", better=0.02)
    for name in ("a", "b"):
        add_result(tmp_path / "runs" / name, to=tmp_path)
    folders, files, mixed = (
        compare_runs(paths, out=tmp_path / "out", resamples=50)
        for paths in (
            [tmp_path / "runs" / "a", tmp_path / "runs" / "b"],
            [tmp_path / "a.json", tmp_path / "b.json"],
            [tmp_path / "a.json", tmp_path / "runs" / "b"],
        )
    )
    assert {entry.part for entry in folders.tracks[1].comparisons} == set(CATALOGUES) - {"consistency"}
    assert folders.tracks == files.tracks == mixed.tracks
    assert [run.name for run in files.runs] == ["a", "b"]


def test_a_track_whose_cases_were_not_kept_is_not_compared(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name)
        RunLayout(tmp_path / name).fold(1).companion("published").cases.unlink()
        add_result(tmp_path / name, to=tmp_path)
    found = compare_runs([tmp_path / "a.json", tmp_path / "b.json"], out=tmp_path / "out", resamples=5)
    assert [track.track for track in found.tracks] == ["strict"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_committed_file_is_what_writing_its_content_gives(path, tmp_path):
    record = read_record(path)
    write_record(tmp_path / path.name, record)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_committed_file_tests_the_cases_of_its_split(path):
    record = read_record(path)
    file = COMMITTED.split(record.splits)
    assert sha256_of_file(file) == record.splits
    splits = read_splits(file)
    assert splits.track == record.result.track
    for fold in record.folds:
        assert {row.case_id for row in fold.main.cases} == set(splits.folds[fold.fold].test)


def test_every_committed_split_is_one_of_a_run():
    assert len(FILES) >= 15
    used = {COMMITTED.split(read_record(path).splits) for path in FILES}
    assert used == set((COMMITTED.path / "splits").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_cases_of_a_committed_file_give_its_figures(path):
    """To the rounding of another order of summation. The oldest run was scored before there was `consistency`."""
    record = read_record(path)
    for place, track in enumerate(record.result.tracks):
        folds = [fold.main if place == 0 else fold.companion for fold in record.folds]
        if not all(fold.cases for fold in folds):
            continue
        detected = [case for fold in folds for case in fold.detected]
        found = summarise(
            [row for fold in folds for row in fold.cases],
            scoring=Scoring(
                protocol=load_protocol(track.protocol),
                classes=record.recipe.data.classes,
                resamples=track.pooled.bootstrap.resamples,
            ),
            track=track.track,
            lesion_detection=detection_figures(detected, resamples=track.pooled.bootstrap.resamples),
        )
        assert (found.n_cases, found.n_groups) == (track.pooled.n_cases, track.pooled.n_groups)
        for part in CATALOGUES:
            stored, again = (estimates_of(scores, part) or {} for scores in (track.pooled, found))
            assert stored.keys() == again.keys() or (path.stem, part) == ("busi_rmtl_net_cpu", "consistency")
            for name, estimate in stored.items():
                values = [(one.mean, *(one.ci95 or (None, None))) for one in (again[name], estimate)]
                assert again[name].n == estimate.n, name
                assert [value is None for value in values[0]] == [value is None for value in values[1]], name
                pairs = [pair for pair in zip(*values, strict=True) if None not in pair]
                assert all(new == pytest.approx(old, rel=1e-12, abs=1e-15) for new, old in pairs), (name, pairs)
