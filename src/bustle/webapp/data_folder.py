"""Where the page keeps what it is given and what it makes: one folder, which holds patients' pictures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bustle.core.files import write_error
from bustle.webapp.storage import Storage

SALT = "pseudonym-salt"
VolumePart = Literal["first", "voxels", "mask"]


@dataclass(frozen=True)
class DataFolder:
    """`uploads` are files as they were dropped, `cases` one folder for each picture with its prediction.

    With a `storage` what is kept is there, too, and what is not here is fetched from it.
    """

    path: Path
    storage: Storage | None = None

    @classmethod
    def at(cls, path: Path, storage: str | None) -> DataFolder:
        """With the storage of this URL. Raises `InputError` where it cannot be used."""
        return cls(path, None if storage is None else Storage.open(storage, path))

    def keep(self, path: Path) -> None:
        """To be called before the row of a file or a case's folder is written. Raises `InputError`."""
        if self.storage is not None:
            self.storage.keep(path)

    def have(self, path: Path) -> Path:
        """The same path, whose file or folder is here if it is anywhere. Raises `InputError`."""
        if self.storage is not None and not path.exists():
            self.storage.fetch(path)
        return path

    def make(self) -> None:
        """Make the folder, for its owner's eyes alone, where it is not there.

        Raises `InputError` where that is not possible.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise write_error(self.path, error) from error

    @property
    def database(self) -> Path:
        return self.path / "page.sqlite3"

    @property
    def jobs(self) -> Path:
        return self.path / "jobs.sqlite3"

    @property
    def salt(self) -> Path:
        """Of the pseudonyms of its patients."""
        return self.path / SALT

    def drop(self, drop: str) -> Path:
        """The folder of what was dropped at once."""
        return self.path / "uploads" / drop

    def upload(self, drop: str, stored: str) -> Path:
        """A dropped file; `stored` is a name that bustle gave it, because its own may be a patient's."""
        return self.have(self.drop(drop) / stored)

    def parts(self, drop: str) -> Path:
        """The folder of what has arrived of files that are not whole."""
        return self.drop(drop) / "parts"

    def remove_upload(self, drop: str, stored: str) -> None:
        """Remove a dropped file, and what was unpacked of it."""
        path = self.drop(drop) / stored
        shutil.rmtree(unpacked_beside(path), ignore_errors=True)
        path.unlink(missing_ok=True)
        if self.storage is not None:
            self.storage.remove(path)

    def remove_case(self, case: str) -> None:
        path = self.path / "cases" / case
        shutil.rmtree(path, ignore_errors=True)
        if self.storage is not None:
            self.storage.remove(path)

    def case(self, case: str) -> CaseFolder:
        return CaseFolder(self.have(self.path / "cases" / case))

    @property
    def lock(self) -> Path:
        """Held by the server that works here."""
        return self.path / "server.lock"


def unpacked_beside(upload: Path) -> Path:
    """Where an archive is unpacked: with it, so that it goes with it."""
    return upload.with_name(f"{upload.name}.unpacked")


@dataclass(frozen=True)
class CaseFolder:
    """One picture: `answer` is an `--out` folder of `bustle predict`, `picture` what was predicted."""

    path: Path

    @property
    def answer(self) -> Path:
        return self.path / "answer"

    @property
    def picture(self) -> Path:
        return self.path / "picture.png"

    def volume(self, part: VolumePart) -> Path:
        """NIfTI files of a volume: a coarse copy that is seen first, the finer one, and what is outlined."""
        return self.path / (f"{part}.nii.gz" if part == "mask" else f"{part}.nii")

    @property
    def all_voxels(self) -> Path:
        """The voxels of a volume as a NumPy file, of which single slices are read."""
        return self.path / "voxels.npy"

    @property
    def volume_size(self) -> Path:
        return self.path / "volume.json"

    @property
    def thumbnail(self) -> Path:
        return self.path / "thumbnail.png"
