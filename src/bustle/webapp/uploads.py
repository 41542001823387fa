"""A dropped file on its way to the disk: streamed, counted, hashed, and in place only when it is whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.concurrency import run_in_threadpool

from bustle.core.files import atomic_path
from bustle.core.printable import printable
from bustle.webapp.refusals import Refusal, Why

MOST_NAME = 255
_ENDING = re.compile(r"(\.nii\.gz|\.[a-z0-9]{1,8})$", re.ASCII)


@dataclass(frozen=True)
class Stored:
    size: int
    sha256: str


async def store(chunks: AsyncIterator[bytes], path: Path, *, most_bytes: int) -> Stored:
    """Write what comes to `path`. Raises `Refusal` for too much."""
    digest, size = hashlib.sha256(), 0
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > most_bytes:
                raise Refusal(Why.TOO_LARGE, most=round(most_bytes / 1e6))
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
    return Stored(size, digest.hexdigest())


def own_name(told: str) -> str:
    """A file's name without folders, fit to be shown."""
    name = PurePosixPath(told.replace("\\", "/")).name
    return printable(name)[:MOST_NAME] or "unnamed"


def stored_name(name: str, *, number: int) -> str:
    """What a file is called on the disk: a number and its ending, which tells some formats."""
    ending = _ENDING.search(name.lower())
    return f"{number:05d}{ending.group() if ending else ''}"
