from __future__ import annotations

import csv
import errno
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from bustle.core import files
from bustle.core.errors import InputError
from bustle.core.recipe import Protocol, Recipe, load_protocol
from bustle.core.types import Case
from bustle.data.prepared.cache import CaseCache
from bustle.data.splits.splits import Fold
from bustle.losses.build import CombinedLoss, LossValues
from bustle.training import run
from bustle.training.building import build_learner
from bustle.training.checkpoint import read_checkpoint
from bustle.training.checks import check_recipe
from bustle.training.learner import Learner
from bustle.training.loss_watch import LossWatch
from bustle.training.run import TrainedFold
from bustle.training.validation import ValidationScores, ValidationTally

HERE = Path(__file__).parent
Train = Callable[..., TrainedFold]


@pytest.fixture
def train(cases: Sequence[Case], fold: Fold, strict: Protocol) -> Train:
    def train_fold(recipe: Recipe, out: Path, **changes: Any) -> TrainedFold:
        arguments = {"cases": cases, "fold": fold, "protocol": strict, "device": "cpu"} | changes
        return run.train_fold(recipe, out=out, **arguments)

    return train_fold


@pytest.fixture(scope="session")
def straight(
    cases: Sequence[Case], fold: Fold, strict: Protocol, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> TrainedFold:
    """Three epochs without an interruption."""
    out = tmp_path_factory.mktemp("straight") / "fold-0"
    return run.train_fold(recipe, cases=cases, fold=fold, out=out, protocol=strict, device="cpu")


def assert_same(left: Any, right: Any, *, where: str = "") -> None:
    """Equal to the last bit, except for the measured seconds."""
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            if key != "seconds":
                assert_same(left[key], right[key], where=f"{where}.{key}")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for place, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, where=f"{where}.{place}")
    else:
        assert left == right, where


def test_a_fold_leaves_its_files(straight: TrainedFold) -> None:
    folder = straight.folder
    with (folder / "metrics.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    columns = "lr train_loss train_region_cross_entropy val_loss val_dice val_auc val_accuracy val_clear seconds"
    assert set(columns.split()) <= rows[0].keys()
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["epoch"] == 3
    assert state["finished"]
    scores = [float(row["val_dice"]) + float(row["val_auc"]) for row in rows]
    assert straight.best_epoch == scores.index(max(scores)) + 1
    assert list((folder / "tensorboard").glob("events.*"))
    weights = load_file(folder / "best.safetensors")
    assert weights.keys() == state["network"].keys()
    assert not list(folder.rglob(".*"))  # no temporary file stays


def test_killed_and_resumed_equals_uninterrupted_bit_for_bit(
    straight: TrainedFold, recipe: Recipe, train: Train, tmp_path: Path
) -> None:
    out = tmp_path / "fold-0"
    command = [sys.executable, str(HERE / "killed_training.py"), str(out), str(HERE / "tiny.yaml")]
    command += ["phantom:?cases=18&seed=0&size=64", "1", "1"]
    done = subprocess.run(command, capture_output=True, check=False)  # with as many threads as this process
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert read_checkpoint(out / "checkpoints" / "last.ckpt").epoch == 1
    torch.manual_seed(999)  # what happened before must not matter
    resumed = train(recipe, out, resume=True)
    assert resumed.best_epoch == straight.best_epoch
    name = Path("checkpoints") / "last.ckpt"
    assert_same(vars(read_checkpoint(straight.folder / name)), vars(read_checkpoint(out / name)))
    assert (straight.folder / "best.safetensors").read_bytes() == (out / "best.safetensors").read_bytes()


def test_a_finished_fold_is_not_trained_again(straight: TrainedFold, recipe: Recipe, train: Train) -> None:
    before = (straight.folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = train(recipe, straight.folder, resume=True)
    assert again.best_epoch == straight.best_epoch
    assert again.epochs == 3
    assert (straight.folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="--resume"):
        train(recipe, straight.folder)


def test_early_stopping_keeps_the_best_epoch(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = iter([0.2, 0.5, 0.4, 0.3, 0.9])
    monkeypatch.setattr(ValidationTally, "scores", lambda self: ValidationScores(1.0, next(dice), None, None, None))
    result = train(tiny_recipe("training.epochs=5", "training.patience=2", "training.ema_decay=null"), tmp_path)
    assert (result.best_epoch, result.epochs) == (2, 4)
    state = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert state.finished
    kept, last = load_file(tmp_path / "best.safetensors"), state.network
    assert any(not torch.equal(kept[name], last[name]) for name in kept)


def test_without_validation_the_last_epoch_is_kept(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path
) -> None:
    recipe = tiny_recipe("training.epochs=2", "training.ema_decay=null", "training.patience=1")
    result = train(recipe, tmp_path, protocol=load_protocol("rmtl"))
    assert (result.best_epoch, result.epochs) == (2, 2)
    assert "val_loss" not in result.history[0]
    kept, last = load_file(tmp_path / "best.safetensors"), read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert_same(kept, dict(last.network))


def test_infinite_loss_stops_and_keeps_the_last_good_checkpoint(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = CombinedLoss.forward
    calls = iter(range(1000))

    def spoilt(self: CombinedLoss, *arguments: Any) -> LossValues:
        values = forward(self, *arguments)
        return values if next(calls) < 4 else values._replace(total=values.total * torch.nan)

    monkeypatch.setattr(CombinedLoss, "forward", spoilt)  # epoch 1: 2 training batches, then 1 of validation
    with pytest.raises(InputError, match=r"loss is nan in epoch 2, batch 2 \(phantom/.*lower the learning rate") as e:
        train(tiny_recipe("training.batch_size=5"), tmp_path)
    assert "\n" not in str(e.value)
    state = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert state.epoch == 1
    assert all(torch.isfinite(tensor).all() for tensor in state.network.values())


def test_ctrl_c_names_resume_and_loses_nothing(
    recipe: Recipe, straight: TrainedFold, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learner.train_batch

    def interrupted(self: Learner, batch: Any, *, epoch: int, number: int, **rest: Any) -> None:
        if epoch == 1 and number == 1:
            raise KeyboardInterrupt  # what Python makes of the signal
        step(self, batch, epoch=epoch, number=number, **rest)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Learner, "train_batch", interrupted)
            with pytest.raises(InputError, match=r"interrupted in epoch 2; epochs saved: 1.*--resume"):
                train(recipe, tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    train(recipe, tmp_path, resume=True)
    name = Path("checkpoints") / "last.ckpt"
    assert_same(vars(read_checkpoint(straight.folder / name)), vars(read_checkpoint(tmp_path / name)))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_too_little_memory_is_one_line(
    error: Exception, recipe: Recipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(Learner, "train_batch", fail)
    with pytest.raises(InputError, match=r"does not fit into the memory; use --set training\.batch_size=N"):
        train(recipe, tmp_path)


def test_full_disk_while_writing_a_checkpoint_keeps_the_older_one(
    recipe: Recipe, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = torch.save, iter(range(10))

    def on_full_disk(state: Any, stream: Any) -> None:
        if next(calls) == 1:
            stream.write(b"a part of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(state, stream)

    monkeypatch.setattr(torch, "save", on_full_disk)
    with pytest.raises(InputError, match=r"last\.ckpt: no space left on the disk; free some space"):
        train(recipe, tmp_path)
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt").epoch == 1
    assert not list(tmp_path.rglob(".*"))


def test_weights_to_start_from(
    tiny_recipe: Callable[..., Recipe], straight: TrainedFold, train: Train, tmp_path: Path
) -> None:
    recipe = tiny_recipe("training.epochs=1", "optimizer.lr=1e-12", "training.ema_decay=null")
    train(recipe, tmp_path / "a", init=straight.folder / "best.safetensors")
    started, kept = (load_file(f / "best.safetensors") for f in (straight.folder, tmp_path / "a"))
    torch.testing.assert_close(kept["mask_head.weight"], started["mask_head.weight"], atol=1e-6, rtol=0)
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"no\.safetensors"):
        train(recipe, tmp_path / "b", init=tmp_path / "no.safetensors")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=3", "did you mean epochs"),
        ("model.config.backbon=resnet18", "did you mean backbone"),
        ("losses.0.ring_widht=3", "did you mean ring_width"),
        ("optimizer.learning_rate=1", "unknown key 'learning_rate'"),
        ("augmentation.0.name=rotat", "did you mean rotate"),
        ("training.step=jont", "did you mean joint"),
        ("weighting=fixd", "did you mean fixed"),
        ("model.id=rmtlnet", "did you mean rmtl_net"),
        ("training.batch_size=1", "at least 2"),
        ("training.ema_decay=1.5", "between 0 and 1"),
        ("data.size=[64,64,64]", "data.size is .*it must be a list of 2 values"),
        ("model.id=cms_vnet", "takes 3"),
        ("model.encoder_weights=gone.safetensors", "gone.safetensors: no such file"),
        ("model={id: unext, encoder_weights: imagenet}", "unext has no published encoder weights; set model"),
    ],
)
def test_a_wrong_recipe_is_told_before_anything_is_read(
    tiny_recipe: Callable[..., Recipe], override: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        check_recipe(tiny_recipe(override))


def test_bf16_trains_on_the_processor_with_clipped_gradients(
    tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda parameters, limit: limits.append(limit) or clip(parameters, limit)
    )
    result = train(tiny_recipe("training.precision=bf16", "training.epochs=1"), tmp_path)
    assert limits == [1.0, 1.0]  # nine cases in batches of four and five
    assert 0 < float(result.history[0]["train_loss"] or 0) < 5
    weights = load_file(tmp_path / "best.safetensors")
    assert weights["mask_head.weight"].dtype == torch.float32


@pytest.fixture
def learner_on(cases: Sequence[Case], fold: Fold) -> Callable[..., Learner]:
    def build(recipe: Recipe, device: str) -> Learner:
        return build_learner(
            recipe,
            cache=CaseCache.open(cases, section=recipe.data),
            train=fold.train,
            val=fold.val,
            located_only=False,
            device=torch.device(device),
            init=None,
            takes=None,
            resuming=False,
        )

    return build


AUGMENTED = (
    "augmentation=[{name: rotate, degrees: 10}, {name: color_jitter, brightness: 0.2, contrast: 0.2}, "
    "{name: gaussian_blur, kernel: 5, sigma: [0.1, 1.5]}, {name: median_blur, kernel: 5}]"
)


@pytest.mark.parametrize("step", ["joint", "semi_supervised"])
def test_a_training_step_reads_no_value_from_the_device(
    step: str, tiny_recipe: Callable[..., Recipe], learner_on: Callable[..., Learner]
) -> None:
    """Each would wait for a GPU; the device `meta` has none to read, and no autocast."""
    learner = learner_on(tiny_recipe(AUGMENTED, f"training.step={step}"), "meta")

    def update(loss: Tensor) -> None:
        learner.precision.update(learner.optimizer, loss, clip_norm=1.0)
        assert learner.average is not None
        learner.average.update(learner.network)

    for batch in learner.batches.training(0):
        learner.step(batch, network=learner.learning, loss=learner.loss, update=update)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_training_step_never_waits_for_the_gpu(
    precision: str, tiny_recipe: Callable[..., Recipe], learner_on: Callable[..., Learner]
) -> None:
    learner = learner_on(tiny_recipe(AUGMENTED, f"training.precision={precision}"), "cuda")
    assert all(group["fused"] for group in learner.optimizer.param_groups)

    def one_epoch() -> None:
        watch = LossWatch(epoch=1, synchronous=False)
        for number, batch in enumerate(learner.batches.training(0)):
            learner.train_batch(batch, epoch=0, number=number, watch=watch, cases=len(batch.case_ids))

    one_epoch()  # what is made once, may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        one_epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_what_the_machine_cannot_do_is_told(tiny_recipe: Callable[..., Recipe], train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fp16 training needs a GPU"):
        train(tiny_recipe("training.precision=fp16"), tmp_path)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="--device cpu"):
            train(tiny_recipe(), tmp_path, device="cuda")


def test_a_damaged_checkpoint_is_named(recipe: Recipe, train: Train, tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "checkpoints" / "last.ckpt", b"half")
    with pytest.raises(InputError, match=r"last\.ckpt: is not a readable checkpoint"):
        train(recipe, tmp_path, resume=True)
