from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bustle.cli.main import main
from bustle.core.recipe import load_recipe
from bustle.data.phantom.dataset import write_phantom_set
from bustle.io.raster import read_image, write_png
from bustle.training.checkpoint import read_checkpoint
from bustle.training.learner import Learner

pytestmark = pytest.mark.usefixtures("module_without_plots")

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"
FAST = ["--set", "training.epochs=1", "training.ema_decay=null", "--device", "cpu"]
Words = Callable[..., list[str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small phantoms."""
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_set(folder, cases=24, seed=3, size=64)
    return folder


@pytest.fixture(scope="module")
def words(data: Path) -> Words:
    """A quick training command; a later option replaces an earlier one."""
    return lambda out, *more: ["train", str(RECIPE), "--data", f"folder:{data}", "--out", str(out), *FAST, *more]


@pytest.fixture(scope="module")
def finished(words: Words, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("train") / "run"
    assert main(words(out, "--folds", "2")) == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def error_of(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that a wrong command prints."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: error:")]
    assert len(lines) == 1
    return lines[0]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_folder_holds_everything(finished: Path) -> None:
    assert load_recipe(str(finished / "recipe.yaml")).training.epochs == 1
    splits = read(finished / "splits.json")
    assert splits["track"] == "strict"
    assert len(splits["folds"]) == 2
    for number, fold in enumerate(splits["folds"]):
        folder = finished / f"fold-{number}"
        for name in ("best.safetensors", "metrics.csv", "cases.csv", "metrics.json", "checkpoints/last.ckpt"):
            assert (folder / name).is_file(), name
        predicted = {str(p.parent.relative_to(folder / "predictions")) for p in folder.rglob("prediction.json")}
        assert predicted == set(fold["test"])
    record = read(finished / "provenance.json")
    assert record["data"]["folder"]["cases"] == 24 - len(splits["excluded"])
    assert record["sessions"][0]["versions"]["torch"]
    assert record["sessions"][0]["seconds"] > 0


def test_the_summary_sums_up(finished: Path) -> None:
    summary = read(finished / "summary.json")
    tested = [len(fold["test"]) for fold in read(finished / "splits.json")["folds"]]
    assert summary["pooled"]["n_cases"] == sum(tested)
    dice = summary["over_folds"]["segmentation"]["dice"]
    folds = [read(finished / f"fold-{k}" / "metrics.json")["segmentation"]["dice"]["mean"] for k in (0, 1)]
    assert dice["folds"] == folds
    assert dice["mean"] == pytest.approx(sum(folds) / 2)
    assert [fold["best_epoch"] for fold in summary["folds"]] == [1, 1]
    assert summary["companion"]["protocol"] == "rmtl"
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "fold 0" in page


def test_intervals_keep_patients_together_where_the_published_split_does_not(words: Words, tmp_path: Path) -> None:
    assert main(words(tmp_path / "run", "--track", "published", "--folds", "2", "--fold", "0")) == 0
    metrics = read(tmp_path / "run" / "fold-0" / "metrics.json")
    with (tmp_path / "run" / "fold-0" / "cases.csv").open(encoding="utf-8") as handle:
        patients = {row["patient_id"] for row in csv.DictReader(handle)}
    assert len(patients) < metrics["n_cases"]
    assert metrics["n_groups"] <= len(patients)
    assert f"resamples of whole groups ({metrics['resampled']})" in (tmp_path / "run" / "report.html").read_text()


def test_folds_train_with_different_seeds(finished: Path) -> None:
    states = [read_checkpoint(finished / f"fold-{k}" / "checkpoints" / "last.ckpt") for k in (0, 1)]
    numpy_keys = [state.random_state["numpy"][1] for state in states]
    assert not (numpy_keys[0] == numpy_keys[1]).all()


def test_a_folder_that_is_not_empty_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    assert "is not empty; go on with the run in it with --resume" in error_of(capsys, words(run, "--folds", "2"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert "is no run folder" in error_of(capsys, words(tmp_path / "mine", "--resume"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_resuming_another_run_names_what_differs(run: Path, capsys: pytest.CaptureFixture[str], words: Words) -> None:
    line = error_of(capsys, words(run, "--folds", "2", "--resume", "--set", "optimizer.lr=0.5"))
    assert "optimizer.lr (0.001 there, 0.5 here)" in line
    assert "the number of folds (2 there, 3 here)" in error_of(capsys, words(run, "--folds", "3", "--resume"))
    line = error_of(capsys, words(run, "--folds", "2", "--track", "published", "--resume"))
    assert "the track (strict there, published here)" in line


def test_a_damaged_record_is_named(run: Path, capsys: pytest.CaptureFixture[str], words: Words) -> None:
    for text in ("{}", "[]", "{"):
        (run / "provenance.json").write_text(text)
        assert "provenance.json: is not" in error_of(capsys, words(run, "--folds", "2", "--resume"))


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def junk(path: Path) -> None:
    path.write_bytes(b"\x00junk\xff\n" * 50)


def an_empty_mapping(path: Path) -> None:
    path.write_text("{}")


FOLD_FILES = ("best.safetensors", "metrics.csv", "cases.csv", "metrics.json", "checkpoints/last.ckpt")
READ_AGAIN = (*(f"fold-0/{name}" for name in FOLD_FILES), "splits.json", "provenance.json", "recipe.yaml")
LOST = ("fold-0/best.safetensors", "fold-0/cases.csv", "splits.json")
"""Of the others that are gone, a finished run makes them again, or is begun anew."""


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in READ_AGAIN for damage in (halved, emptied, junk, an_empty_mapping)),
        *((name, Path.unlink) for name in LOST),
    ],
)
def test_resuming_a_finished_run_with_a_damaged_file_is_one_line_and_changes_nothing(
    name: str, damage: Callable[[Path], None], run: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    damage(run / name)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    assert f"{run / name}: " in error_of(capsys, words(run, "--folds", "2", "--resume"))
    assert before == {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_a_lost_table_of_epochs_is_made_again_and_a_copy_of_a_fold_is_none_of_the_run(
    run: Path, words: Words
) -> None:
    before = read(run / "summary.json")
    shutil.copytree(run / "fold-0", run / "fold-0-backup")
    (run / "fold-0" / "metrics.csv").unlink()
    assert main(words(run, "--folds", "2", "--resume")) == 0
    assert (run / "fold-0" / "metrics.csv").read_bytes() == (run / "fold-0-backup" / "metrics.csv").read_bytes()
    assert read(run / "summary.json") == before


def test_a_table_of_other_cases_than_its_figures_is_told(
    run: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    table = run / "fold-1" / "cases.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-1]))
    assert "cases.csv: holds" in error_of(capsys, words(run, "--folds", "2", "--resume"))
    table.write_text("".join(lines).replace("folder/", "elsewhere/"))
    assert "which the run does not; score the predictions again" in error_of(
        capsys, words(run, "--folds", "2", "--resume")
    )


def test_resuming_with_changed_images_is_refused(
    run: Path, words: Words, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    image = next(iter(sorted((copy / "images").iterdir())))
    pixels = read_image(image)
    pixels[0, 0, 0] ^= 255
    write_png(image, pixels)
    changed = [word.replace(str(data), str(copy)) for word in words(run, "--folds", "2", "--resume")]
    assert "the data of folder" in error_of(capsys, changed)


def test_resume_does_only_what_is_missing(run: Path, capsys: pytest.CaptureFixture[str], words: Words) -> None:
    weights = (run / "fold-0" / "best.safetensors").stat().st_mtime_ns
    before = read(run / "summary.json")
    shutil.rmtree(run / "fold-1")
    (run / "fold-0" / "metrics.json").unlink()  # trained, but its scoring was interrupted
    assert main(words(run, "--folds", "2", "--resume")) == 0
    assert (run / "fold-0" / "best.safetensors").stat().st_mtime_ns == weights
    after = read(run / "summary.json")
    assert after["pooled"] == before["pooled"]
    assert len(read(run / "provenance.json")["sessions"]) == 2
    printed = capsys.readouterr().out
    assert "test cases of folds 0, 1" in printed
    (positive,) = [line for line in printed.splitlines() if line.startswith("Positive class")]
    assert positive.split()[2:] == ["malignant", "benign"]  # the strict track's, and the paper's


def test_a_run_stops_when_its_time_is_up_and_goes_on_elsewhere_without_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    out = tmp_path / "run"
    assert main(words(out, "--folds", "2", "--time-budget", "0s")) == 0
    assert "the time is up; 1 fold is left, go on with the same command and --resume" in capsys.readouterr().err
    assert [path.name for path in out.glob("fold-*")] == ["fold-0"]
    shutil.rmtree(out / "fold-0" / "checkpoints")  # of finished folds the figures alone may travel
    for left in (out / "fold-0" / "best.safetensors", *out.rglob("overlay.png"), *out.rglob("report.html")):
        left.unlink()
    scored = (out / "fold-0" / "metrics.json").stat().st_mtime_ns
    refit = words(out, "--folds", "2", "--resume", "--refit")
    assert "best.safetensors: is gone, which a new rule needs" in error_of(capsys, refit)
    assert main(words(out, "--folds", "2", "--time-budget", "0s", "--resume")) == 0
    assert "time is up" not in capsys.readouterr().err
    assert (out / "fold-0" / "metrics.json").stat().st_mtime_ns == scored
    assert [fold["fold"] for fold in read(out / "summary.json")["folds"]] == [0, 1]


def test_one_fold_of_a_split_file(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    split = ["--splits", str(finished / "splits.json")]
    assert main(words(tmp_path / "run", *split, "--fold", "1")) == 0
    assert sorted(path.name for path in (tmp_path / "run").glob("fold-*")) == ["fold-1"]
    assert read(tmp_path / "run" / "splits.json") == read(finished / "splits.json")
    assert "test cases of fold 1" in capsys.readouterr().out
    assert "there is no fold 2; folds count from 0 to 1" in error_of(
        capsys, words(tmp_path / "b", *split, "--fold", "2")
    )
    line = error_of(capsys, words(tmp_path / "b", *split, "--track", "published"))
    assert "splits.json: was made for the track 'strict'" in line
    other = [word + "?name=other" * word.startswith("folder:") for word in words(tmp_path / "b", *split)]
    assert "that the data does not have" in error_of(capsys, other)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--set", "training.epoch=2"], "did you mean epochs"),
        (["--set", "losses.0.ring_widht=2"], "did you mean ring_width"),
        (["--set", "model.config.backbone=resnet1"], "resnet1"),
        (["--protocol", "rmlt", "--track", "published"], "did you mean rmtl"),
        (["--data", "folder:nowhere"], "nowhere: does not exist"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors: no such weights file"),
        (["--init", "."], "is a folder, but no model package; give a safetensors file (of a run fold-0/best."),
        (["--holdout", "1.5"], "between 0 and 1"),
        (["--time-budget", "9"], "'9' is no time; give --time-budget 90s, 9m or 1.5h"),
        (["--time-budget", "9m", "--engine", "ray"], "leave out --engine"),
    ],
)
def test_wrong_words_are_told_in_one_line(
    change: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    assert message in error_of(capsys, words(tmp_path / "run", *change))
    assert not (tmp_path / "run").exists()


def test_an_output_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in error_of(capsys, words(tmp_path / "file" / "run"))
    if os.geteuid() == 0:
        return  # the superuser may write everywhere
    tmp_path.chmod(0o500)
    assert "choose a folder that you may write to" in error_of(capsys, words(tmp_path / "run"))
    tmp_path.chmod(0o700)


def test_wrong_starting_weights_and_an_absent_gpu_leave_no_run_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(bytes(range(256)))
    assert "is not a readable safetensors file" in error_of(capsys, words(tmp_path / "run", "--init", str(weights)))
    fp16 = words(tmp_path / "run", "--set", "training.precision=fp16")
    assert "fp16 training needs a GPU" in error_of(capsys, fp16)
    assert not (tmp_path / "run").exists()


def test_a_broken_image_leaves_no_run_behind_and_the_error_is_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words, data: Path
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    image = next(iter(sorted((copy / "images").iterdir())))
    image.write_bytes(image.read_bytes()[:200])
    broken = [word.replace(str(data), str(copy)) for word in words(tmp_path / "run", "--folds", "2")]
    assert image.name in error_of(capsys, broken)
    assert not (tmp_path / "run").exists()


def test_without_a_finished_epoch_resume_begins_anew_even_with_other_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words
) -> None:
    one_fold = words(tmp_path / "run", "--folds", "2", "--fold", "0")
    line = error_of(capsys, [*one_fold, "--set", "optimizer.lr=1e30", "training.clip_gradient_norm=null"])
    assert "the loss is nan" in line
    assert main([*one_fold, "--resume"]) == 0
    assert load_recipe(str(tmp_path / "run" / "recipe.yaml")).optimizer.options["lr"] == 1e-3


def test_what_the_reader_noticed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Words, data: Path
) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    image = next(iter(sorted((copy / "images").iterdir())))
    image.unlink()
    lonely = [word.replace(str(data), str(copy)) for word in words(tmp_path / "run", "--folds", "2", "--fold", "0")]
    assert main(lonely) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: warning:")]
    assert [image.stem in line for line in warnings] == [True, True]
    assert "2 masks belong to no image" in warnings[0]
    assert "rows of labels.csv have no image" in warnings[1]


def test_ctrl_c_is_one_line_that_names_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: Words
) -> None:
    def interrupted(self: Learner, batch: Any, **moment: Any) -> None:
        raise KeyboardInterrupt  # what Python makes of the signal, whose handler belongs to the process of the tests

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "train_batch", interrupted)
        assert "--resume" in error_of(capsys, words(tmp_path / "run", "--holdout", "0.3"))
    assert main(words(tmp_path / "run", "--holdout", "0.3", "--resume")) == 0
