"""Several processes for one training: each learns from a part of every batch, and their gradients are added.

They are on one machine, speak with each other there alone, and hold the same weights after every update. The first
one validates and writes; the number of them may change when a training goes on.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from bustle.core.errors import InputError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Share:
    """Which process this is, from 0, of how many."""

    number: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the sum of all; a parameter without a gradient here counts as zero."""
        if self.count == 1:
            return
        own = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in own:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in own if parameter.grad is not None]
        together = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(together)
        for gradient, summed in zip(gradients, together.split([each.numel() for each in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def sums(self, values: Tensor) -> Tensor:
        """The sum over the processes, elementwise."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What `make` gives in the first process; the others wait for it."""
        made = [make() if self.is_first else None]
        if self.count > 1:
            distributed.broadcast_object_list(made)
        return made[0]  # type: ignore[return-value]  # the first process made it

    def wait_for_all(self) -> None:
        if self.count > 1:
            distributed.barrier()


ALONE = Share()


def in_processes(work: Callable[[Share], None], *, count: int) -> None:
    """Do `work`, which can be pickled, in `count` new processes with their share; returns when all are done.

    Each has a GPU of its own where there are GPUs. Raises the `InputError` of the first that fails; the others end.
    """
    from torch.multiprocessing import ProcessExitedException, ProcessRaisedException, start_processes

    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # that the others end is no news
    with tempfile.TemporaryDirectory(prefix="bustle-processes-") as folder:
        arguments = (count, folder, pickle.dumps(work))
        try:
            start_processes(_begin, args=arguments, nprocs=count, daemon=True, start_method="spawn")
        except (ProcessExitedException, ProcessRaisedException):
            for told in sorted(Path(folder).glob("failed-*")):
                raise pickle.loads(told.read_bytes()) from None  # written by `_begin` just now
            raise


def _begin(number: int, count: int, folder: str, work: bytes) -> None:
    on_gpus = torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(number)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    if sys.platform == "linux":  # elsewhere it has another name
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # no other machine takes part
    if number:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  (one of them tells how it goes on)
    distributed.init_process_group(
        "nccl" if on_gpus else "gloo", init_method=f"file://{folder}/meeting", rank=number, world_size=count
    )
    try:
        pickle.loads(work)(Share(number, count))
    except InputError as error:
        (Path(folder) / f"failed-{number}").write_bytes(pickle.dumps(error))
        sys.exit(2)
    distributed.destroy_process_group()
