from __future__ import annotations

import errno
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.training.checkpoint import read_checkpoint, write_checkpoint
from bustle.training.determinism import random_state, restore_random_state, seed_epoch


def drawn() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()  # noqa: NPY002


def test_random_state_goes_through_a_file(tmp_path: Path) -> None:
    seed_epoch(1, 2)
    np.random.normal()  # noqa: NPY002  (leaves half of a pair behind)
    write_checkpoint(tmp_path / "last.ckpt", {"random_state": random_state()})
    expected = [drawn() for _ in range(3)]
    restore_random_state(read_checkpoint(tmp_path / "last.ckpt")["random_state"])
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
        write_checkpoint(tmp_path / "last.ckpt", {})
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_form_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 99}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match="another version"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_flipped_bit_in_a_tensor_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, {"tensor": torch.arange(1000.0)})
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(500.0, 510.0).numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"last\.ckpt: is not a readable checkpoint"):
        read_checkpoint(path)
