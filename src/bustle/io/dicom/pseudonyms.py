"""Names that stand for a person: the same for the same person on one machine, and nobody finds the way back.

A hash alone would not do: patients' numbers are few and could be tried. The machine's salt is drawn once and kept in
the cache folder, readable by its user alone; without it, names made before cannot be made again. Whatever keeps such
names keeps a salt with them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from bustle.core.cache_folder import cache_directory
from bustle.core.errors import InputError
from bustle.core.progress import announce

SALT = "dicom-salt"
_BYTES = 32
_chosen: ContextVar[bytes | None] = ContextVar("salt", default=None)


def pseudonym(text: str, *, kind: str) -> str:
    """16 hexadecimal digits for the text of a `kind` (such as "patient"); no kind has another's names."""
    return _digest(text, kind=kind)[:8].hex()


def replaced_uid(uid: str) -> str:
    """A UID for a UID, of the form that needs no registration (PS3.5 B.2)."""
    return f"2.25.{uuid.UUID(bytes=_digest(uid, kind='uid')[:16], version=4).int}"


@contextlib.contextmanager
def salted_with(salt: bytes) -> Iterator[None]:
    """Within the block, in this thread, names are made with this salt instead of the machine's."""
    token = _chosen.set(salt)
    try:
        yield
    finally:
        _chosen.reset(token)


def machine_salt() -> bytes:
    """Raises `InputError` where it is damaged."""
    return _salt(cache_directory())


def read_salt(file: Path) -> bytes:
    """Raises OSError for a file that cannot be read, and `InputError` for what is no salt."""
    salt = file.read_bytes()
    if len(salt) != _BYTES:
        raise InputError("is damaged", remedy="remove it; patients get new names", path=file)
    return salt


def _digest(text: str, *, kind: str) -> bytes:
    salt = _chosen.get() or machine_salt()
    return hmac.digest(salt, f"{kind}\0{text}".encode(errors="surrogatepass"), hashlib.sha256)


@functools.lru_cache(maxsize=4)
def _salt(folder: Path) -> bytes:
    """The salt of a cache folder; where none can be kept, one for this process alone, which is said."""
    file = folder / SALT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(secrets.token_bytes(_BYTES))
        return read_salt(file)
    except OSError as error:
        announce(f"bustle: warning: {file} cannot be kept ({error.strerror}): patients have other names each time")
        return secrets.token_bytes(_BYTES)
