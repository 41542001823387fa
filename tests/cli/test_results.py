"""`bustle results add`, and what `bustle compare` says of broken files that it is given."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from tests.experiments.made_run import write_run, write_sessions
from tests.scripts import script

from bustle.cli.main import main
from bustle.core.recipe import load_recipe, save_recipe
from bustle.core.run_layout import RunLayout
from bustle.experiments.repeated_results import grouped_repeats
from bustle.experiments.run_record_file import read_record


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "first")
    return tmp_path / "runs" / "first"


def error_of(capsys, words):
    assert main(list(map(str, words))) == 2
    error = capsys.readouterr().err
    assert error.startswith("bustle: error: ")
    assert error.count("\n") == 1
    return error


def test_the_file_bears_the_runs_name_and_stands_in_results(run, capsys):
    assert main(["results", "add", str(run)]) == 0
    printed = capsys.readouterr().out
    (split,) = (run.parents[1] / "results" / "splits").iterdir()
    assert printed == f"written: results/first.json, with the split results/splits/{split.name}\n"
    assert len(split.stem) == 12
    before = split.read_bytes()
    assert main(["results", "add", str(run), "--name", "second"]) == 0
    assert main(["results", "add", str(run), "--to", "elsewhere"]) == 0
    assert split.read_bytes() == before
    files = [run.parents[1] / name for name in ("results/first.json", "results/second.json", "elsewhere/first.json")]
    assert len({file.read_bytes() for file in files}) == 1
    assert files[0].read_bytes().count(b"\n") == 1


def test_no_folder_of_this_machine_stands_in_the_file(run):
    recipe = load_recipe(str(RunLayout(run).recipe))
    model = replace(recipe.model, encoder_weights="/home/doe/weights/first.safetensors")
    save_recipe(replace(recipe, model=model), RunLayout(run).recipe)
    assert main(["results", "add", str(run)]) == 0
    written = (run.parents[1] / "results" / "first.json").read_text()
    assert '"first.safetensors"' in written
    assert "doe" not in written


def test_an_older_file_of_the_same_name_is_replaced(run):
    assert main(["results", "add", str(run)]) == 0
    older = run.parents[1] / "results" / "first.json"
    written = older.read_text()
    older.write_text(json.dumps(json.loads(written)))
    assert older.read_text() != written
    assert main(["results", "add", str(run)]) == 0
    assert older.read_text() == written
    assert {path.name for path in older.parent.iterdir()} == {"first.json", "splits"}


def without_summary(run):
    run.summary.unlink()


def with_an_unscored_fold(run):
    run.fold(1).main.metrics.unlink()


def with_a_later_fold(run):
    shutil.copytree(run.fold(1).path, run.fold(2).path)


def interrupted(run):
    write_sessions(run, seconds=(12.5, None))


def without_a_session(run):
    write_sessions(run, seconds=())


def without_cases(run):
    run.fold(0).main.cases.unlink()


def scored_at_another_time(run):
    metrics = run.fold(0).companion("published").metrics
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"title": "Another"}))


def of_another_form(run):
    run.provenance.write_text('{"data": {}, "init": null}')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_summary, "first: is not finished: it has no summary.json; finish its training with --resume"),
        (with_an_unscored_fold, "first: is not finished: fold-1 is not scored; finish"),
        (with_a_later_fold, "summary.json: is not of all of the run's folds; finish"),
        (interrupted, "provenance.json: its last session did not end; finish the run with --resume"),
        (without_a_session, "provenance.json: its last session did not end"),
        (without_cases, "first: does not hold together: fold 0 holds no case; restore it"),
        (scored_at_another_time, "metrics_published.json: was not scored together with metrics.json"),
        (of_another_form, "is not the record of a run (provenance.json lacks sessions; add it); restore it"),
        (lambda run: run.recipe.unlink(), "first: is not a run folder"),
    ],
)
def test_a_run_that_is_not_finished_or_damaged_leaves_no_file(change, said, run, capsys):
    change(RunLayout(run))
    assert said in error_of(capsys, ["results", "add", run])
    assert not list(run.parents[1].glob("results/*.json"))


def test_wrong_words_end_in_one_line(run, capsys):
    assert "is one fold of a run; name the run's own folder" in error_of(capsys, ["results", "add", run / "fold-0"])
    assert "'a/b' is no file name" in error_of(capsys, ["results", "add", run, "--name", "a/b"])
    assert "a file is in the way" in error_of(capsys, ["results", "add", run, "--to", run / "recipe.yaml"])


def shorten(content):
    content["folds"][0]["main"]["cases"]["dice"].pop()


def mistype(content):
    content["folds"][0]["main"]["cases"]["area"][0] = "large"


def add_column(content):
    content["folds"][0]["main"]["cases"]["dise"] = None


def lose_a_fold(content):
    content["folds"].pop()


def change_the_rules(content):
    content["result"]["protocol"] = "lanet"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shorten, "is damaged (ValueError: columns of 5 and 6 rows); restore it, or add its run again"),
        (mistype, "is damaged (first.json.folds.0.main.cases.0.area is 'large'; it must be a whole number)"),
        (add_column, "unknown key 'dise'"),
        (lose_a_fold, "its folds are not those of its result"),
        (change_the_rules, "follows other rules than the run"),
        (lambda content: content.pop("result"), "is damaged (KeyError: 'result')"),
        (lambda content: content.pop("recipe"), "lacks recipe"),
        (lambda content: content.update(folds=None), "is damaged (TypeError"),
        (lambda content: content.update(result=[]), "is damaged (TypeError"),
        (lambda content: content.update(format=2), "is a run's file of format 2; update bustle"),
        (lambda content: content.pop("splits"), "is not the file of a run; name one that `bustle results add` wrote"),
    ],
)
def test_a_broken_file_ends_in_one_line(change, said, run, tmp_path, capsys):
    assert main(["results", "add", str(run)]) == 0
    file = tmp_path / "results" / "first.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    error = error_of(capsys, ["compare", run, file, "--out", tmp_path / "out"])
    assert said in error
    assert "results/first.json: " in error
    file.write_text(file.read_text()[:-100])
    assert "is not readable JSON" in error_of(capsys, ["compare", run, file, "--out", tmp_path / "out"])


def seeded(run, seed):
    recipe = load_recipe(str(run.recipe))
    save_recipe(replace(recipe, training=replace(recipe.training, seed=seed)), run.recipe)


def test_repeats_with_other_seeds_are_told_together(run, tmp_path, capsys):
    """Neither a run on other data nor a second one with the same seed is among them."""
    write_run(tmp_path / "runs" / "second", better=0.02)
    for name, seed in (("third", 3), ("twin", 7), ("second", 7)):
        if name != "second":
            shutil.copytree(tmp_path / "runs" / "second", tmp_path / "runs" / name)
        seeded(RunLayout(tmp_path / "runs" / name), seed)
    other = RunLayout(tmp_path / "runs" / "third").provenance
    other.write_text(other.read_text().replace("0" * 64, "1" * 64))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "notes.json").write_text("{}")
    told = {}
    for name in ("first", "third", "second", "twin"):
        assert main(["results", "add", str(tmp_path / "runs" / name)]) == 0
        told[name] = capsys.readouterr().out.partition("\n")[2]
    dice = 0.5 + 5.5 / 41 + 0.01  # the mean of made rows, one run 0.02 above the other
    assert told["second"] == (
        f"repeats with the seeds 0, 7 (first, second), mean ± SD: Dice {dice:.3f} ± 0.014; AUC 0.583 ± 0.000\n"
    )
    assert not any(told[name] for name in ("first", "third", "twin"))

    files = {name: tmp_path / "results" / f"{name}.json" for name in told}
    (repeats,) = grouped_repeats({name: read_record(file) for name, file in files.items()})
    page = script("generate_results_page").repeats_section(repeats)
    assert "trained 2 times on the same 2 fold(s) with the seeds 0, 7; mean ± SD" in page
    assert f"| Dice | {dice:.3f} ± 0.014 | {dice:.3f} ± 0.014 |" in page
