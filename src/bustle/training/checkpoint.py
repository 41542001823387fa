"""What a training is restored from: one dictionary of tensors and plain values, without pickled code."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from bustle.core.errors import InputError
from bustle.core.files import atomic_path, write_bytes

FORMAT = 1


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint, replacing the older one only when it is complete on the disk.

    Raises `InputError` when the disk is full.
    """
    with atomic_path(path) as temporary, temporary.open("wb", buffering=0) as stream:
        try:
            torch.save({"format": FORMAT, **state}, stream)
        except RuntimeError as error:  # torch's own word for a failed write; the reason is behind it
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the processor; raises `InputError` for one that is damaged or of another form."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle, OS and key errors: all mean that the file is not ours or is damaged
        raise InputError(
            f"is not a readable checkpoint ({type(error).__name__})",
            remedy="delete this fold's folder to train the fold again",
            path=path,
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            "is a checkpoint of another version of bustle", remedy="delete this fold's folder", path=path
        )
    return state


def write_weights(path: Path, network: torch.nn.Module, *, metadata: dict[str, str]) -> None:
    """Write a network's `state_dict` as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_bytes(path, save(tensors, metadata))


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed every generator from (seed, epoch), so that an epoch never depends on what was drawn before it."""
    words = np.random.SeedSequence([seed, epoch]).generate_state(3)
    torch.manual_seed(int(words[0]))
    np.random.seed(int(words[1]))  # noqa: NPY002  (the global state is what third-party code draws from)
    random.seed(int(words[2]))


def random_state() -> dict[str, Any]:
    """The states of all global generators as tensors and plain values."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (str(kind), torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss),
        "python": random.getstate(),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
