"""A large file that comes in parts: what has arrived is kept whatever ends the connection, or the server.

The part that is here is a file in a folder beside the drop's others, and how long it is says how much has arrived;
what it is to become lies next to it until its row is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from bustle.core.file_lock import FileLock
from bustle.core.files import sha256_of_file, write_error, write_json
from bustle.webapp.refusals import Refusal, Why
from bustle.webapp.uploads import Stored, stored_name


@dataclass(frozen=True)
class PartialFile:
    """The file `id` of a drop, of which `size` bytes are to come into `folder`, and from there beside it."""

    folder: Path
    id: str
    name: str
    size: int

    @classmethod
    def begin(cls, folder: Path, upload_id: str, *, name: str, size: int) -> PartialFile:
        """Raises `InputError` where no space is left."""
        made = cls(folder, upload_id, name, size)
        write_json(made._about, {"name": name, "size": size})
        return made

    @classmethod
    def find(cls, folder: Path, upload_id: str) -> PartialFile:
        """Raises `Refusal` 404 where none was begun."""
        if not upload_id.isalnum():
            raise Refusal(Why.NO_UPLOAD)
        try:
            about = json.loads((folder / f"{upload_id}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Refusal(Why.NO_UPLOAD) from None
        return cls(folder, upload_id, about["name"], about["size"])

    @property
    def sent(self) -> int:
        """Bytes that have arrived."""
        for path in (self._part, self.place):
            if path.exists():
                return path.stat().st_size
        return 0

    @property
    def place(self) -> Path:
        """Where it lies once it is whole."""
        return self.folder.parent / f"{self.id}-{stored_name(self.name, number=0)}"

    async def append(self, chunks: AsyncIterator[bytes], *, offset: int) -> None:
        """Add what follows the first `offset` bytes; what came before the connection was lost stays.

        Raises `Refusal` 409 where another number of bytes has arrived or somebody else sends, 413 for more than
        was announced; `InputError` where no space is left.
        """
        lock = FileLock(self.folder / f"{self.id}.lock")
        if lock.take() == "busy":
            raise Refusal(Why.UPLOAD_BUSY, headers=self._told())
        try:
            if offset != self.sent:
                raise Refusal(Why.OTHER_OFFSET, headers=self._told(), sent=self.sent)
            if self.place.exists():  # whole, and only its row is missing
                return
            with self._part.open("ab") as file:
                async for chunk in chunks:
                    offset += len(chunk)
                    if offset > self.size:
                        raise Refusal(Why.MORE_THAN_ANNOUNCED, size=self.size)
                    await run_in_threadpool(file.write, chunk)
        except OSError as error:
            raise write_error(self._part, error) from error
        finally:
            lock.release(remove=True)

    def finish(self) -> Stored:
        """Put the whole file in its place; done again after a kill, nothing changes. Raises `InputError` as above."""
        try:
            if self._part.exists():
                with self._part.open("rb") as file:
                    os.fsync(file.fileno())
                self._part.replace(self.place)
        except OSError as error:
            raise write_error(self.place, error) from error
        return Stored(self.size, sha256_of_file(self.place))

    def forget(self) -> None:
        """Its row tells of it now."""
        self._about.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return self.folder / f"{self.id}.part"

    @property
    def _about(self) -> Path:
        return self.folder / f"{self.id}.json"

    def _told(self) -> dict[str, str]:
        return {"Upload-Offset": str(self.sent)}
