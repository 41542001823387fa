"""The salt of the page's pseudonyms lies with its files and goes where they go: a number leads to the same cases."""

from __future__ import annotations

from bustle.core.files import read_error, write_bytes
from bustle.io.dicom.pseudonyms import machine_salt, read_salt
from bustle.webapp.data_folder import DataFolder


def keep_salt(data: DataFolder) -> None:
    """A page that has none begins with the machine's, with which pages before named their patients.

    Raises `InputError` where it cannot be kept.
    """
    path = data.have(data.salt)
    if not path.exists():
        write_bytes(path, machine_salt())
        path.chmod(0o600)
        data.keep(path)


def page_salt(data: DataFolder) -> bytes:
    """Raises `InputError` where it is gone or damaged."""
    path = data.have(data.salt)
    try:
        return read_salt(path)
    except OSError as error:
        raise read_error(path, error) from error
