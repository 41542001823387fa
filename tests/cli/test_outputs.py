"""What commands do with what is in `--out` already: theirs is replaced or kept, all else is left alone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bustle.cli.main import main
from bustle.core.claimed_output import claim_folder
from bustle.core.config import to_mapping
from bustle.core.recipe import load_recipe, save_recipe
from bustle.data.phantom.dataset import write_phantom_set
from bustle.data.splits.split_file import write_splits
from bustle.data.splits.splits import Fold, Splits
from bustle.experiments.own_outputs import PREDICTIONS, RUN
from bustle.models import zoo

pytestmark = pytest.mark.usefixtures("module_without_plots")

RECIPE = Path(__file__).parents[1] / "training" / "tiny.yaml"


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_set(folder, cases=8, seed=3, size=64)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a tiny, untrained network with one finished fold."""
    run = tmp_path_factory.mktemp("trained") / "run"
    recipe = load_recipe("rmtl_net", overrides=["model.encoder_weights=null", "data.size=[64, 64]"])
    tiny = to_mapping(zoo.get("rmtl_net").tiny)
    save_recipe(replace(recipe, model=replace(recipe.model, config=tiny)), run / "recipe.yaml")
    write_splits(run / "splits.json", Splits("strict", "strict", 0, (Fold(("other/1",), (), ("other/2",)),), (), {}))
    torch.manual_seed(0)
    network = zoo.build("rmtl_net", tiny, in_channels=3, class_count=2)
    (run / "fold-0").mkdir()
    save_file(network.state_dict(), run / "fold-0" / "best.safetensors")
    (run / "fold-0" / "metrics.json").write_text("{}")
    return run


def command(*words: object) -> int:
    return main([str(word) for word in words])


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert command(*words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bustle: error:")]
    assert len(lines) == 1
    return lines[0]


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def test_an_evaluation_replaces_all_of_an_earlier_one_of_another_method(model: Path, phantoms: Path, tmp_path: Path):
    out, data = tmp_path / "out", f"folder:{phantoms}"
    assert command("evaluate", "--model", model, "--data", data, "--out", out) == 0
    assert {"cases_published.csv", "metrics_published.json", "predictions"} <= {path.name for path in out.iterdir()}
    assert command("evaluate", "--predictions", phantoms / "masks", "--data", data, "--out", out) == 0
    assert names(out) == {"cases.csv", "metrics.json", "reliability.json", "report.html"}


def test_an_evaluation_never_removes_the_predictions_that_it_scores(
    model: Path, phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, data = tmp_path / "out", f"folder:{phantoms}"
    assert command("evaluate", "--model", model, "--data", data, "--out", out) == 0
    before = content(out)
    (tmp_path / "link").symlink_to(out / "predictions")
    for predictions in (out / "predictions", tmp_path / "link"):
        line = error_of(capsys, "evaluate", "--predictions", predictions, "--data", data, "--out", out)
        assert "lies in the folder" in line
    assert "absent" in error_of(
        capsys, "evaluate", "--predictions", tmp_path / "absent", "--data", data, "--out", out
    )
    assert content(out) == before


def test_an_evaluation_that_was_killed_does_not_look_complete(phantoms: Path, tmp_path: Path, monkeypatch):
    out, words = tmp_path / "out", ["--predictions", phantoms / "masks", "--data", f"folder:{phantoms}"]
    assert command("evaluate", *words, "--out", out) == 0

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bustle.experiments.scored_method.write_evaluation_page", killed)
        assert command("evaluate", *words, "--out", out) == 2
    assert not {"metrics.json", "report.html"} & names(out)
    assert command("evaluate", *words, "--out", out) == 0
    assert names(out) == {"cases.csv", "metrics.json", "reliability.json", "report.html"}


def test_a_prediction_never_overwrites_its_input(model: Path, phantoms: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    (out / "mask").mkdir(parents=True)
    image = shutil.copy(sorted((phantoms / "images").iterdir())[0], out / "mask" / "mask.png")
    before = content(out)
    (tmp_path / "link.png").symlink_to(image)
    (tmp_path / "other").symlink_to(out)
    for given, folder in ((image, out), (tmp_path / "link.png", out), (image, tmp_path / "other")):
        assert "lies in the folder" in error_of(capsys, "predict", given, "--model", model, "--out", folder)
    assert content(out) == before


def test_predictions_join_earlier_ones_but_nothing_else(model: Path, phantoms: Path, tmp_path: Path, capsys):
    first, second = sorted((phantoms / "images").iterdir())[:2]
    out = tmp_path / "out"
    for image in (first, second, first):
        assert command("predict", image, "--model", model, "--out", out) == 0
    assert {path.name for path in out.iterdir()} == {first.stem, second.stem}
    (out / second.stem / "notes.txt").write_text("mine")
    line = error_of(capsys, "predict", first, "--model", model, "--out", out)
    assert f"holds {second.stem}/notes.txt, which is not of the predictions" in line
    (tmp_path / "masks" / "case").mkdir(parents=True)
    shutil.copy(first, tmp_path / "masks" / "case" / "mask.png")  # another tool's
    assert "holds case/mask.png" in error_of(capsys, "predict", first, "--model", model, "--out", tmp_path / "masks")


@pytest.mark.parametrize("verb", ["audit", "evaluate", "compare", "predict", "train", "phantom"])
def test_a_folder_with_foreign_content_is_left_alone(verb: str, model: Path, phantoms: Path, tmp_path: Path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    data = f"folder:{phantoms}"
    line = error_of(
        capsys,
        *{
            "audit": ["data", "audit", data],
            "evaluate": ["evaluate", "--predictions", phantoms / "masks", "--data", data],
            "compare": ["compare", model, model / "fold-0"],
            "predict": ["predict", phantoms / "images", "--model", model],
            "train": ["train", RECIPE, "--data", data],
            "phantom": ["data", "phantom", "--cases", "2", "--size", "64"],
        }[verb],
        "--out",
        tmp_path,
    )
    assert "holds notes.txt, which is not of" in line or "is not empty and" in line
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_files_are_replaced_only_where_the_same_command_wrote_them(phantoms: Path, tmp_path: Path, capsys):
    split = ["data", "split", f"folder:{phantoms}", "--holdout", "0.5", "--out"]
    notes, splits = tmp_path / "notes.txt", tmp_path / "splits.json"
    notes.write_text("mine")
    assert "notes.txt: is not a split of an earlier call" in error_of(capsys, *split, notes)
    assert command(*split, splits) == 0
    first = splits.read_bytes()
    assert command(*split, splits, "--seed", "1") == 0
    assert splits.read_bytes() != first
    assert content(tmp_path).keys() == {"notes.txt", "splits.json"}
    assert notes.read_text() == "mine"


def test_a_second_command_on_the_same_folder_is_refused(model: Path, phantoms: Path, tmp_path: Path, capsys):
    train = ["train", RECIPE, "--data", f"folder:{phantoms}", "--out", tmp_path / "run"]
    with claim_folder(tmp_path / "run", RUN):
        for more in ([], ["--resume"]):
            assert "run: another bustle command is writing there" in error_of(capsys, *train, *more)
    predict = ["predict", phantoms / "images", "--model", model, "--out", tmp_path / "p"]
    with claim_folder(tmp_path / "p", PREDICTIONS):
        assert "p: another bustle command is writing there" in error_of(capsys, *predict)


@pytest.mark.parametrize("left", [".recipe.yaml.x8fj_2ka.yaml", ".phantom.json.x8fj_2ka.json"])
def test_a_folder_that_holds_only_a_killed_writers_temporary_is_empty(
    left: str, phantoms: Path, tmp_path: Path, capsys
):
    (tmp_path / left).write_text("id: ti")
    if "recipe" in left:
        line = error_of(capsys, "train", RECIPE, "--data", f"folder:{phantoms}", "--holdout", "7", "--out", tmp_path)
        assert "between 0 and 1" in line  # the folder was no obstacle
    else:
        assert command("data", "phantom", "--cases", "1", "--size", "32", "--out", tmp_path) == 0
    assert left not in names(tmp_path)


def test_temporaries_of_a_killed_prediction_are_gone_after_the_next(model: Path, phantoms: Path, tmp_path: Path):
    image = sorted((phantoms / "images").iterdir())[0]
    out = tmp_path / "out"
    (out / image.stem).mkdir(parents=True)
    for name in (".mask.png.x8fj_2ka.png", ".prediction.json.x8fj_2ka.json"):
        (out / image.stem / name).write_text("half")
    assert command("predict", image, "--model", model, "--out", out) == 0
    assert not [name for name in names(out) if Path(name).name.startswith(".")]


def test_a_phantom_set_that_was_not_finished_is_refused_by_its_reader(phantoms: Path, tmp_path: Path, capsys):
    torn = Path(shutil.copytree(phantoms, tmp_path / "torn"))
    (torn / "labels.csv").unlink()
    split = ["data", "split", f"folder:{torn}", "--holdout", "0.5", "--out", tmp_path / "splits.json"]
    assert command(*split) == 0
    assert "a phantom set without labels.csv" in capsys.readouterr().err
    sorted((torn / "images").iterdir())[0].unlink()
    assert "is a phantom set that was not finished; run the same" in error_of(capsys, *split)
    settings = json.loads((torn / "phantom.json").read_text())
    again = ["--cases", settings["cases"], "--seed", settings["seed"], "--size", settings["size"], "--out", torn]
    assert command("data", "phantom", *again) == 0
    assert command(*split) == 0
    assert content(torn) == content(phantoms)


@pytest.mark.parametrize(
    "name", ["mask.png", "network_mask.png", "probability.png", "overlay.png", "prediction.json"]
)
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_resumed_prediction_makes_anew_what_is_not_whole(
    name: str, damage: str, model: Path, phantoms: Path, tmp_path: Path
):
    image, out = sorted((phantoms / "images").iterdir())[0], tmp_path / "out"
    predict = ["predict", image, "--model", model, "--out", out, "--save-probability", "--resume"]
    assert command(*predict) == 0
    before = content(out)
    file = out / image.stem / name
    times = {path: path.stat().st_mtime_ns for path in file.parent.iterdir()}
    assert command(*predict) == 0
    assert {path: path.stat().st_mtime_ns for path in file.parent.iterdir()} == times
    whole = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(whole[: len(whole) // 2])
    assert command(*predict) == 0
    assert content(out) == before


def test_an_input_that_cannot_be_read_any_more_keeps_no_earlier_answer(model: Path, phantoms: Path, tmp_path: Path):
    image, out = tmp_path / "scan.png", tmp_path / "out"
    shutil.copy(sorted((phantoms / "images").iterdir())[0], image)
    assert command("predict", image, "--model", model, "--out", out) == 0
    image.write_bytes(image.read_bytes()[:100])
    assert command("predict", image, "--model", model, "--out", out) == 2
    assert names(out) == set()
