from __future__ import annotations

import errno
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from bustle.training.determinism import random_state, restore_random_state, seed_epoch
from bustle.training.selection import SelectionState


def made(**changes: Any) -> Checkpoint:
    """Of a network of one tensor, after its first epoch."""
    empty: dict[str, Any] = {"average": None, "loss": {}, "optimizer": {}, "precision": {}, "random_state": {}}
    history = [{"epoch": 1, "train_loss": 0.5, "val_auc": None, "seconds": 0.25}]
    begun = {"network": {"tensor": torch.arange(1000.0)}, "finished": False, "epoch": 1, "history": tuple(history)}
    return Checkpoint(**{**empty, **begun, "selection": SelectionState(0.5, 1, 1)} | changes)


def drawn() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002


def test_random_state_goes_through_a_file(tmp_path: Path) -> None:
    seed_epoch(1, 2)
    np.random.normal()  # noqa: NPY002  (leaves half of a pair behind)
    write_checkpoint(tmp_path / "last.ckpt", made(random_state=random_state()))
    expected = [drawn() for _ in range(3)]
    restore_random_state(read_checkpoint(tmp_path / "last.ckpt").random_state)
    assert [drawn() for _ in range(3)] == expected


def test_every_epoch_has_a_seed_of_its_own() -> None:
    found = []
    for seed, epoch in ((1, 2), (1, 2), (1, 3), (2, 2)):
        seed_epoch(seed, epoch)
        found.append(drawn())
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_full_disk_is_told_although_torch_hides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(state: object, stream: object) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("[enforce fail at inline_container.cc] unexpected pos 704 vs 598")  # noqa: B904

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(InputError, match="no space left on the disk"):
        write_checkpoint(tmp_path / "last.ckpt", made())
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_form_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 99}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="another version"):
        read_checkpoint(tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": None}, "optimizer is None"),
        ({"network": {"tensor": 1.0}}, "network.tensor is 1.0; it must be Tensor"),
        ({"history": {}}, "history is {}; it must be a list"),
        ({"history": []}, "epochs do not count from 1"),
        ({"history": [{"epoch": 1, "seconds": "soon"}]}, "seconds is 'soon'"),
        ({"epoch": 2}, "contradict each other"),
        ({"selection": {"best": None, "best_epoch": 3, "epoch": 1}}, "contradict each other"),
        ({"selection": []}, "selection is"),
        ({"finished": "yes"}, "finished is 'yes'"),
        ({"weights": {}}, "unknown key 'weights'"),
    ],
)
def test_a_checkpoint_with_parts_of_another_type_is_told(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, made())
    torch.save(torch.load(path, weights_only=True) | change, path)
    with pytest.raises(InputError, match=said) as raised:
        read_checkpoint(path)
    assert str(raised.value).startswith(f"{path}: is not the checkpoint of a training (")
    assert "move this fold's folder away" in str(raised.value)


@pytest.mark.parametrize(
    "part", ["finished", "epoch", "selection", "random_state", "history", "optimizer", "network"]
)
def test_a_checkpoint_that_lacks_a_part_is_told(part: str, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, made())
    content = torch.load(path, weights_only=True)
    del content[part]
    torch.save(content, path)
    with pytest.raises(
        InputError, match=rf"last\.ckpt: is not the checkpoint of a training \(last\.ckpt lacks {part}"
    ):
        read_checkpoint(path)


def test_a_checkpoint_of_nothing_but_its_format_is_told(tmp_path: Path) -> None:
    torch.save({"format": 1}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match=r"last\.ckpt lacks network, average"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\); allow reading it"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_flipped_bit_in_a_tensor_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, made())
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(500.0, 510.0).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"last\.ckpt: is not a readable checkpoint"):
        read_checkpoint(path)
