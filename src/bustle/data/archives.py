"""Data sets in ZIP archives, unpacked once into the cache folder.

An archive is a stranger's: names, links and sizes are checked before a byte of it is inflated, and no file becomes
larger than the archive says. The folder bears the hash of the archive's content and is put in place when it is whole.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.files import write_error
from bustle.core.printable import printable
from bustle.core.progress import announce, progress
from bustle.data.content_hashes import content_hashes
from bustle.data.prepared.building_folder import building_folder, put_in_place, remove_abandoned
from bustle.io.dicom.recognition import dicom_files

MOST_FILES = 1_000_000
MOST_PACKED, PACKED_AT_WILL = 100, 1 << 30
"""By how much an archive may be compressed if it has more bytes than the second number: images hardly are."""

_DRIVE = re.compile(r"[A-Za-z]:")
_MAC_EXTRAS = ("__MACOSX", ".DS_Store")
_ENCRYPTED = 1
_CHUNK = 1 << 20
_STUDIES: dict[Path, Path] = {}
"""Where this process has unpacked studies, by where it would keep other data."""
_COPY_AGAIN = "download or copy it again, or unpack it and give the folder"


@dataclass(frozen=True)
class _Member:
    """A file of an archive and where it is put, relative to the folder."""

    entry: zipfile.ZipInfo
    place: Path


def is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def unpacked(path: Path, *, root: Path | None = None) -> Path:
    """The folder that holds what the ZIP archive `path` holds, without folders around it that hold nothing else.

    It is below `root`, by default in the cache folder, where it stays. Only what holds DICOM files, a person's study,
    is unpacked for this process alone and removed at its end, or of a killed process by the next one's
    `remove_abandoned_studies`.

    Raises `InputError` for an archive that is damaged, encrypted, unsafe or too large, or that cannot be unpacked.
    """
    folder = (root or _cached()) / content_hashes([path])[path][:24]
    study = _STUDIES.get(folder)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked(archive, path=path)
            if study is not None and _is_whole(study, members):
                folder = study
            elif not _is_whole(folder, members):
                folder = _unpack(archive, members, folder, path=path, keep_studies=root is not None)
    except InputError:
        raise
    except Exception as error:  # a damaged archive can make the decoders raise almost anything
        reason = printable(str(error)) or type(error).__name__
        raise InputError(f"is no readable ZIP archive ({reason})", remedy=_COPY_AGAIN, path=path) from None
    announce(f"bustle: {path} is read from {folder}, where it is unpacked")
    return _without_wrapping(folder)


def remove_abandoned_studies() -> None:
    """Remove what killed processes have unpacked of studies."""
    remove_abandoned(_cached())


def _cached() -> Path:
    return cache_directory() / "archives"


def _checked(archive: zipfile.ZipFile, *, path: Path) -> list[_Member]:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise InputError(f"holds {len(entries)} files", remedy="unpack it and give the folder", path=path)
    members = [_member(entry, path=path) for entry in entries if not entry.is_dir()]
    members = [member for member in members if not set(member.place.parts) & set(_MAC_EXTRAS)]
    _check_places(members, path=path)
    size, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if packed > path.stat().st_size:  # files that share their bytes, as in a bomb
        raise InputError("is no sound ZIP archive: its files overlap", remedy=_COPY_AGAIN, path=path)
    if size > PACKED_AT_WILL and size > MOST_PACKED * packed:
        raise InputError(
            f"would unpack {packed / 1e6:.1f} MB to {size / 1e9:.1f} GB, which no images do",
            remedy="unpack it yourself if you trust it, and give the folder",
            path=path,
        )
    return members


def _member(entry: zipfile.ZipInfo, *, path: Path) -> _Member:
    name = entry.filename.replace("\\", "/")
    parts = name.split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        what = "a link" if kind == stat.S_IFLNK else "no ordinary file"
        raise _unsafe(f"'{printable(name)}' is {what}", path=path)
    if name.startswith("/") or _DRIVE.match(name) or {"", ".", ".."} & set(parts) or not name.isprintable():
        raise _unsafe(f"'{printable(name)}' is no name inside a folder", path=path)
    if entry.flag_bits & _ENCRYPTED:
        raise InputError("is encrypted", remedy="unpack it with its password and give the folder", path=path)
    return _Member(entry, Path(*parts))


def _unsafe(what: str, *, path: Path) -> InputError:
    return InputError(f"is no safe archive: {what}", remedy="ask its maker for a plain one", path=path)


def _check_places(members: Sequence[_Member], *, path: Path) -> None:
    """Raises `InputError` for two files of one name, also where capitals do not count, and for one below another."""
    places: dict[str, str] = {}
    for member in members:
        name = member.place.as_posix()
        other = places.setdefault(name.casefold(), name)
        if other is not name:
            raise _unsafe(f"'{other}' and '{name}' are one name", path=path)
    for member in members:
        for parent in member.place.parents:
            if parent.as_posix().casefold() in places:
                raise _unsafe(f"'{parent.as_posix()}' is a file and a folder", path=path)


def _is_whole(folder: Path, members: Sequence[_Member]) -> bool:
    """Whether an earlier command unpacked it and nobody took anything away since."""
    sizes = ((folder / member.place, member.entry.file_size) for member in members)
    try:
        return folder.is_dir() and all(file.stat().st_size == size for file, size in sizes)
    except OSError:
        return False


def _unpack(
    archive: zipfile.ZipFile, members: Sequence[_Member], folder: Path, *, path: Path, keep_studies: bool
) -> Path:
    """Unpack it into `folder`, or a study, unless `keep_studies`, into one that goes with this process."""
    root = folder.parent
    needed = sum(member.entry.file_size for member in members)
    try:
        root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(root).free
        if needed > free:
            raise InputError(
                f"needs {needed / 1e9:.1f} GB in {root}, where {free / 1e9:.1f} GB are free",
                remedy="BUSTLE_CACHE=FOLDER unpacks it elsewhere",
                path=path,
            )
        with contextlib.ExitStack() as stack:
            own = stack.enter_context(building_folder(root))
            building = own / "content"
            building.mkdir()
            for member in progress(members, description=f"unpacking {path.name}", unit="file"):
                _write(archive, member, building)
            if not keep_studies and dicom_files(building):
                atexit.register(stack.pop_all().close)
                _STUDIES[folder] = building
                return building
            put_in_place(building, folder, spare=own)
            return folder
    except OSError as error:
        told = write_error(folder, error)
        remedy = f"{told.remedy}; BUSTLE_CACHE=FOLDER unpacks it elsewhere"
        raise InputError(told.problem, remedy=remedy, path=folder) from error


def _write(archive: zipfile.ZipFile, member: _Member, folder: Path) -> None:
    """One file, which never becomes larger than the archive says; its checksum is compared."""
    target = folder / member.place
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member.entry) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file, _CHUNK)
    if target.stat().st_size != member.entry.file_size:
        raise zipfile.BadZipFile(f"'{member.entry.filename}' ends too early")


def _without_wrapping(folder: Path) -> Path:
    """The first folder inside that holds more than one folder of folders: archives often hold their own name."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or not any(entry.is_dir() for entry in inside[0].iterdir()):
            return folder
        folder = inside[0]
