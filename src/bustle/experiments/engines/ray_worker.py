"""What runs in the processes of a Ray cluster."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError
from bustle.experiments.engines.engine import unseen
from bustle.experiments.engines.same_versions import check_versions, own_versions


@dataclass(frozen=True, kw_only=True)
class WorkerGiven:
    """The pickled work, where it writes, and of the command that began it the versions and the folder it runs in."""

    work: bytes
    out: Path
    versions: Mapping[str, str]
    folder: str


class Worker:
    """A process that holds the model; made once, used for many tasks.

    What a task returns or fails at is pickled in its row: Ray would carry an exception without its class.
    """

    def __init__(self, given: WorkerGiven):
        self._given = given
        self._work: Callable[[Any], Any] | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[bytes]]:
        done = [self._done(task) for task in batch["task"]]
        return {"failed": [failed for failed, _ in done], "result": [result for _, result in done]}

    def _done(self, task: bytes) -> tuple[bytes, bytes]:
        """What the task failed at and what it returned, one of which is empty."""
        try:
            if self._work is None:
                self._work = self._opened()
            return b"", pickle.dumps(self._work(pickle.loads(task)))  # of this command's own, as the work
        except Exception as error:
            return _pickled(error), b""

    def _opened(self) -> Callable[[Any], Any]:
        machine = socket.gethostname()
        check_versions(own_versions(), own=self._given.versions, machine=machine)  # it may have joined later
        with contextlib.suppress(OSError):  # without it all that is named must have absolute paths
            os.chdir(self._given.folder)
        if not self._given.out.is_dir():
            raise unseen(self._given.out, machine=machine)
        return pickle.loads(self._given.work)


def _pickled(error: Exception) -> bytes:
    if not isinstance(error, InputError):
        error.add_note(traceback.format_exc())  # for --debug
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:  # not every class of errors can be carried
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content
