"""Files in S3-compatible storage, or whatever fsspec reaches: the data folder then is a copy that may be lost.

What a row tells of is in the storage before the row is written, and a file that is not in the folder is fetched.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bustle.core.errors import InputError


@dataclass(frozen=True)
class Storage:
    """`root` in a file system of fsspec holds what the folder `local` holds, by the same names."""

    filesystem: Any
    root: str
    local: Path

    @classmethod
    def open(cls, url: str, local: Path) -> Storage:
        """Raises `InputError` for what is no storage, or cannot be reached."""
        from fsspec.core import url_to_fs

        try:
            filesystem, root = url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise InputError(
                f"the storage '{url[:80]}' cannot be used ({error})", remedy="write s3://BUCKET/FOLDER"
            ) from error
        with _naming_the_storage():
            filesystem.ls(root.partition("/")[0])
        return cls(filesystem, root.rstrip("/"), local)

    def keep(self, path: Path) -> None:
        """Copy a file, or all files of a folder, into the storage. Raises `InputError` where that fails."""
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        with _naming_the_storage():
            for file in files:
                place = self._place(file)
                self.filesystem.makedirs(place.rpartition("/")[0], exist_ok=True)
                self.filesystem.put_file(str(file), place)

    def fetch(self, path: Path) -> None:
        """Copy a file or a folder from the storage, whole or not at all; nothing happens where it has none."""
        with _naming_the_storage():
            place = self._place(path)
            if not self.filesystem.exists(place):
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetched-") as folder:
                made = Path(folder) / path.name
                for file in self.filesystem.find(place):
                    target = made / file.removeprefix(place).lstrip("/") if file != place else made
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self.filesystem.get_file(file, str(target))
                with contextlib.suppress(OSError):  # another request was faster
                    made.rename(path)

    def remove(self, path: Path) -> None:
        """Remove a file or a folder from the storage."""
        with _naming_the_storage():
            place = self._place(path)
            for file in self.filesystem.find(place):
                self.filesystem.rm_file(file)

    def _place(self, path: Path) -> str:
        return f"{self.root}/{path.relative_to(self.local).as_posix()}"


@contextlib.contextmanager
def _naming_the_storage() -> Iterator[None]:
    """Clients of storages raise all kinds of errors; none of them is the fault of what was sent."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        away = error if isinstance(error, OSError) else OSError(type(error).__name__)
        raise InputError(
            f"the storage does not take or give a file ({type(error).__name__})", remedy="check it, and try again"
        ) from away
