"""Files wherever they are: on a disk, in a bucket that fsspec knows, on a DICOMweb server."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.core.printable import printable

DICOMWEB = "dicomweb+"
"""Before the address of an instance: `dicomweb+https://server/dicom-web/studies/1.2/series/1.3/instances/1.4`."""


@contextlib.contextmanager
def local_copy(place: str, *, base: Path) -> Iterator[Path]:
    """Within the block, the file of a manifest's row on this machine; a path is relative to the folder `base`.

    What is elsewhere is fetched into a temporary file with the same ending. Raises `InputError`, which does not
    repeat the place (it may be named after a patient), where there is no such file or it may not be read.
    """
    scheme = urlsplit(place).scheme.lower()
    if len(scheme) <= 1:  # none, or the letter of a drive
        yield _on_this_machine(base / place)
        return
    if scheme == "file":
        yield _on_this_machine(Path(url2pathname(urlsplit(place).path)))
        return
    suffix = ".dcm" if place.lower().startswith(DICOMWEB) else PurePosixPath(urlsplit(place).path).suffix
    with tempfile.TemporaryDirectory(prefix="bustle-archive-") as folder:
        path = Path(folder) / f"fetched{suffix}"
        content = _instance(place) if place.lower().startswith(DICOMWEB) else _remote(place, scheme)
        path.write_bytes(content)
        yield path


def unexpected(error: Exception) -> str:
    """What stands in the tables of an error that nobody thought of, without the place, as of all others."""
    return f"an error of bustle, or of what fetches the file ({type(error).__name__}); report it"


def _on_this_machine(path: Path) -> Path:
    try:
        check_regular(path)
        if not os.access(path, os.R_OK):
            raise PermissionError
    except FileNotFoundError:
        raise InputError("the file does not exist", remedy="correct the manifest, or restore the file") from None
    except PermissionError:
        raise InputError("the file may not be read", remedy="allow reading it") from None
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise InputError(f"the file cannot be read ({told})", remedy="restore it") from None
    return path


def _remote(place: str, scheme: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(place, "rb") as file:
            return file.read()  # type: ignore[union-attr]  # one place gives one file
    except ImportError as error:
        raise InputError(
            f"files at {scheme}: need another package ({printable(str(error))})", remedy="install it"
        ) from None
    except ValueError as error:
        raise InputError(
            f"nothing here reads {scheme}: ({printable(str(error))})", remedy="correct the manifest"
        ) from None
    except FileNotFoundError:
        raise InputError("the file does not exist", remedy="correct the manifest, or restore the file") from None
    except PermissionError:
        raise InputError("the bucket does not allow reading", remedy="give this account the permission") from None
    except OSError as error:
        raise InputError(
            f"the file cannot be fetched ({type(error).__name__})", remedy="check the server and run with --resume"
        ) from None


def _instance(address: str) -> bytes:
    """A DICOM instance as WADO-RS gives it."""
    import io

    import requests
    from dicomweb_client import DICOMwebClient

    url = address[len(DICOMWEB) :]
    server, found, rest = url.partition("/studies/")
    words = rest.split("/")
    if not found or len(words) != 5 or words[1] != "series" or words[3] != "instances":
        raise InputError(
            "is no address of an instance", remedy=f"write {DICOMWEB}SERVER/studies/…/series/…/instances/…"
        )
    try:
        client = DICOMwebClient(server, timeout=60.0)
        client.set_http_retry_params(retry=False)  # --resume asks again: half a minute a file would be days
        dataset = client.retrieve_instance(words[0], words[2], words[4])
    except requests.HTTPError as error:
        code = "no code" if error.response is None else error.response.status_code
        raise InputError(f"the server answers {code}", remedy="check the address and the account") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"the server cannot be asked ({type(error).__name__})", remedy="check it and run with --resume"
        ) from None
    content = io.BytesIO()
    dataset.save_as(content)
    return content.getvalue()
