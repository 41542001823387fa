"""The order of an epoch's files, exact resume of every kind of training, and what a person sees."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, load_recipe
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold
from bustle.losses.build import CombinedLoss, LossValues
from bustle.models.weight_file import read_metadata
from bustle.training import epoch_writer, loop
from bustle.training.checkpoint import Checkpoint
from bustle.training.learner import Learner
from bustle.training.run import train_fold

TinyRecipe = Callable[..., Recipe]
Train = Callable[..., Any]


@pytest.fixture
def train(cases: Sequence[Case], fold: Fold, strict: Protocol) -> Train:
    def run(recipe: Recipe, out: Path, **changes: Any) -> Any:
        arguments = {"cases": cases, "fold": fold, "protocol": strict, "device": "cpu"} | changes
        return train_fold(recipe, out=out, **arguments)

    return run


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `metrics.csv` without the measured seconds."""
    with (folder / "metrics.csv").open() as table:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(table)]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name != "seconds"]
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in names}


def assert_same_files(left: Path, right: Path) -> None:
    assert rows(left) == rows(right)
    assert scalars(left) == scalars(right)
    assert (left / "best.safetensors").read_bytes() == (right / "best.safetensors").read_bytes()


@pytest.fixture(scope="module")
def volumes() -> Sequence[Case]:
    return [
        case for case in open_sources(["phantom:?volumes=8&coarse=4"]).cases if case.label in ("benign", "malignant")
    ]


@pytest.mark.parametrize(
    "settings",
    [
        ("training.ema_decay=null", "training.patience=1", "training.epochs=6", "optimizer.lr=1e-2"),
        ("training.precision=bf16", "training.epochs=2"),
        ("weighting={name: dynamic_average}", "optimizer={name: sgd, lr: 1e-2, momentum: 0.9}"),
    ],
    ids=["early stopping", "bf16", "remembering losses"],
)
def test_stopped_in_an_epoch_and_resumed_equals_uninterrupted(
    settings: Sequence[str], tiny_recipe: TinyRecipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(*settings)
    straight = train(recipe, tmp_path / "straight")
    stop_in_epoch(1, monkeypatch)
    with pytest.raises(RuntimeError, match="stopped"):
        train(recipe, tmp_path / "stopped")
    monkeypatch.undo()
    resumed = train(recipe, tmp_path / "stopped", resume=True)
    assert (resumed.epochs, resumed.best_epoch) == (straight.epochs, straight.best_epoch)
    assert_same_files(straight.folder, resumed.folder)


def test_patches_of_volumes_are_resumed_exactly(
    volumes: Sequence[Case], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["data.size=[32, 32, 32]", "training.epochs=2", "training.batch_size=2"]
    settings += ["model.config.width=2", "model.refinements=1"]
    recipe = load_recipe("cms_vnet_iter_cpu", overrides=settings)
    benign, malignant = ([v.case_id for v in volumes if v.label == label] for label in ("benign", "malignant"))
    fold = Fold(train=(benign[0], malignant[0], benign[1]), val=(benign[-1], malignant[-1]), test=())
    straight = train(recipe, tmp_path / "straight", cases=volumes, fold=fold)
    stop_in_epoch(1, monkeypatch)
    with pytest.raises(RuntimeError, match="stopped"):
        train(recipe, tmp_path / "stopped", cases=volumes, fold=fold)
    monkeypatch.undo()
    assert_same_files(
        straight.folder, train(recipe, tmp_path / "stopped", cases=volumes, fold=fold, resume=True).folder
    )


def test_what_was_not_written_of_large_networks_is_trained_again(
    tiny_recipe: TinyRecipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("training.epochs=4", "training.monitor=loss")
    straight = train(recipe, tmp_path / "straight")
    assert straight.best_epoch > 1
    written = []
    write = epoch_writer.write_checkpoint

    def counted(path: Path, checkpoint: Checkpoint) -> None:
        written.append(checkpoint.epoch)
        write(path, checkpoint)

    monkeypatch.setattr(epoch_writer, "LARGE", 1)
    monkeypatch.setattr(epoch_writer, "REST", 1e9)
    monkeypatch.setattr(epoch_writer, "write_checkpoint", counted)
    assert_same_files(straight.folder, train(recipe, tmp_path / "seldom").folder)
    assert written == [1, 4]

    with monkeypatch.context() as patch:
        stop_in_epoch(3, patch)
        with pytest.raises(RuntimeError, match="stopped"):
            train(recipe, tmp_path / "stopped")
    assert read_metadata(tmp_path / "stopped" / "best.safetensors")["epoch"] == "1"
    assert_same_files(straight.folder, train(recipe, tmp_path / "stopped", resume=True).folder)
    assert written[2:] == [1, 2, 4]


def stop_in_epoch(stopped: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the training end like a killed process: after the first batch of an epoch (from 0), without warning."""
    learn = Learner.train_batch

    def stop(self: Learner, batch: Any, *, epoch: int, **options: Any) -> None:
        learn(self, batch, epoch=epoch, **options)
        if epoch == stopped:
            torch.manual_seed(999)  # what happened before must not matter
            raise RuntimeError("stopped")

    monkeypatch.setattr(Learner, "train_batch", stop)


def test_a_fold_is_finished_only_when_all_its_files_are_written(
    tiny_recipe: TinyRecipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe("training.epochs=2")
    straight = train(recipe, tmp_path / "straight")
    for module, name in ((loop, "write_learning_curve"), (epoch_writer, "write_checkpoint")):
        write = getattr(module, name)
        calls = iter(range(10))

        def stop(*arguments: Any, _write: Any = write, _calls: Any = calls, **options: Any) -> None:
            if next(_calls) == 1:
                raise RuntimeError("stopped")
            _write(*arguments, **options)

        out = tmp_path / name
        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(RuntimeError, match="stopped"):
                train(recipe, out)
        assert_same_files(straight.folder, train(recipe, out, resume=True).folder)


def test_an_infinite_loss_changes_no_weight(
    tiny_recipe: TinyRecipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = []
    step = torch.optim.AdamW.step
    forward = CombinedLoss.forward

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        updates.append(1)
        return step(self, *arguments, **options)

    def spoilt(self: CombinedLoss, *arguments: Any) -> LossValues:
        values = forward(self, *arguments)
        return values._replace(total=values.total * torch.inf)

    monkeypatch.setattr(CombinedLoss, "forward", spoilt)
    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    with pytest.raises(InputError, match="loss is inf in epoch 1, batch 1"):
        train(tiny_recipe(), tmp_path)
    assert not updates


def test_every_epoch_prints_a_line(
    tiny_recipe: TinyRecipe, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(tiny_recipe("training.epochs=2"), tmp_path, title="fold 3")
    lines = [part.strip() for part in capsys.readouterr().err.replace("\r", "\n").splitlines() if "Dice" in part]
    assert [line.split("  ")[0] for line in lines] == ["fold 3 epoch 1/2", "fold 3 epoch 2/2"]
    assert f"loss {result.history[0]['train_loss']:.4f}" in lines[0]
    assert "kept" in lines[result.best_epoch - 1]
    assert "to go" in lines[0]
    assert lines[1].endswith("done")


def another_network(state: dict[str, Any]) -> None:
    state["network"]["mask_head.weight"] = torch.zeros(3, 5)


def without_a_tensor(state: dict[str, Any]) -> None:
    del state["network"]["mask_head.bias"]


def without_an_average(state: dict[str, Any]) -> None:
    state["average"] = None


def other_settings(state: dict[str, Any]) -> None:
    state["optimizer"]["param_groups"][0]["eps"] = "small"


def another_parameters_moments(state: dict[str, Any]) -> None:
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3, 5)


def without_a_moment(state: dict[str, Any]) -> None:
    del state["optimizer"]["state"][1]["exp_avg_sq"]


def without_groups(state: dict[str, Any]) -> None:
    del state["optimizer"]["param_groups"]


def without_a_generator(state: dict[str, Any]) -> None:
    del state["random_state"]["numpy"]


def half_a_generator(state: dict[str, Any]) -> None:
    state["random_state"]["torch"] = state["random_state"]["torch"][:100]


@pytest.mark.parametrize(
    "change",
    [
        another_network,
        without_a_tensor,
        without_an_average,
        other_settings,
        another_parameters_moments,
        without_a_moment,
        without_groups,
        without_a_generator,
        half_a_generator,
    ],
)
def test_the_checkpoint_of_another_training_is_told_and_left(
    change: Callable[[dict[str, Any]], None],
    begun: Path,
    tiny_recipe: TinyRecipe,
    train: Train,
    tmp_path: Path,
) -> None:
    out = Path(shutil.copytree(begun, tmp_path / "fold-0"))
    path = out / "checkpoints" / "last.ckpt"
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"last\.ckpt: is the checkpoint of another training \(") as raised:
        train(tiny_recipe("training.epochs=2"), out, resume=True)
    assert "\n" not in str(raised.value)
    assert before == {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def begun(
    cases: Sequence[Case], fold: Fold, strict: Protocol, tiny_recipe: TinyRecipe, tmp_path_factory: Any
) -> Path:
    """A training of two epochs that stopped after the first."""
    out = tmp_path_factory.mktemp("begun") / "fold-0"
    with pytest.MonkeyPatch.context() as patch:
        stop_in_epoch(1, patch)
        with pytest.raises(RuntimeError, match="stopped"):
            train_fold(
                tiny_recipe("training.epochs=2"), cases=cases, fold=fold, out=out, protocol=strict, device="cpu"
            )
    return out


def test_the_missing_table_of_a_finished_training_is_made_again(
    tiny_recipe: TinyRecipe, train: Train, tmp_path: Path
) -> None:
    recipe = tiny_recipe("training.epochs=1")
    train(recipe, tmp_path)
    table = (tmp_path / "metrics.csv").read_bytes()
    (tmp_path / "metrics.csv").unlink()
    train(recipe, tmp_path, resume=True)
    assert (tmp_path / "metrics.csv").read_bytes() == table
