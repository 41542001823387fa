"""Files wherever they are: on a disk, in a bucket that fsspec knows, on a DICOMweb server."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from bustle.archive.arrival import MOST_SILENT_SECONDS, Arrival, within_limits
from bustle.core.errors import InputError
from bustle.core.extras import missing_package, naming_the_extra
from bustle.core.files import check_regular, write_error
from bustle.core.printable import printable

if TYPE_CHECKING:
    import requests

DICOMWEB = "dicomweb+"
"""Before the address of an instance: `dicomweb+https://server/dicom-web/studies/1.2/series/1.3/instances/1.4`."""


def check_packages(places: Iterable[str | None]) -> None:
    """Raises `InputError` where a package is missing that fetches from one of these places, and all others like it.

    It is asked before anything is fetched, and again where a part is done, which may be on another machine.
    """
    links = (link for place in places if place and "://" in place for link in place.split("::"))  # fsspec's chains
    for scheme in sorted({link.partition("://")[0] for link in links}):
        with naming_the_extra():
            if scheme.lower().startswith(DICOMWEB):
                import_module("dicomweb_client")
            else:
                _check_package(scheme)


def _check_package(scheme: str) -> None:
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ValueError:
        return  # a mistake of one row
    except ImportError as error:
        cause = error.__cause__
        told = missing_package(cause) if isinstance(cause, ModuleNotFoundError) else None
        raise told or InputError(
            f"files at {scheme}: need another package ({printable(str(error))})", remedy="install it"
        ) from None


@contextlib.contextmanager
def local_copy(place: str, *, base: Path) -> Iterator[Path]:
    """Within the block, the file of a manifest's row on this machine; a path is relative to the folder `base`.

    What is elsewhere is fetched into a temporary file with the same ending, within the limits of `arrival`. Raises
    `InputError`, which does not repeat the place (it may be named after a patient), where there is no such file, it
    may not be read, or does not come.
    """
    if not place.lower().startswith("file:") and "://" not in place:  # a file's name may have a colon in it
        yield _on_this_machine(base / place)
        return
    try:
        scheme, _, path_there, *_ = urlsplit(place)
    except ValueError:  # whose message repeats the place
        raise InputError("this is no address that can be read", remedy="correct the manifest") from None
    if scheme == "file":
        yield _on_this_machine(Path(url2pathname(path_there)))
        return
    suffix = ".dcm" if place.lower().startswith(DICOMWEB) else PurePosixPath(path_there).suffix
    with tempfile.TemporaryDirectory(prefix="bustle-archive-") as folder:
        path = Path(folder) / f"fetched{suffix}"
        fetch = _fetch_instance if place.lower().startswith(DICOMWEB) else _fetch_file
        try:
            within_limits(lambda arrival: fetch(place, path, arrival))
        except OSError as error:  # what the network says has been told in other words
            raise write_error(path, error) from None
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


def _fetch_file(place: str, path: Path, arrival: Arrival) -> None:
    """Write what fsspec reads at an address."""
    import fsspec

    scheme = urlsplit(place).scheme
    try:
        system, name = fsspec.url_to_fs(place)
        system.get_file(name, str(path), callback=_heard(arrival))
        if not path.is_file():
            raise IsADirectoryError
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"nothing here reads {scheme}: ({printable(str(error))})", remedy="correct the manifest"
        ) from None
    except FileNotFoundError:
        raise InputError("the file does not exist", remedy="correct the manifest, or restore the file") from None
    except PermissionError:
        raise InputError("the bucket does not allow reading", remedy="give this account the permission") from None
    except Exception as error:  # every kind of storage has errors of its own
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the file here
        status = getattr(error, "status", None)
        told = type(error).__name__ if status is None else f"the server answers {status}"
        raise InputError(
            f"the file cannot be fetched ({told})", remedy="check the server and the account, and run with --resume"
        ) from None


def _heard(arrival: Arrival) -> Any:
    """What fsspec tells of a file that it fetches."""
    from fsspec.callbacks import Callback

    class Heard(Callback):
        def set_size(self, size: int | None) -> None:
            arrival.announced(size)

        def relative_update(self, inc: int = 1) -> None:
            arrival.took(inc)

    return Heard()


def _fetch_instance(address: str, path: Path, arrival: Arrival) -> None:
    """Write a DICOM instance as WADO-RS gives it."""
    import requests
    from dicomweb_client import DICOMwebClient

    url = address[len(DICOMWEB) :]
    server, found, rest = url.partition("/studies/")
    words = rest.split("/")
    if not found or len(words) != 5 or words[1] != "series" or words[3] != "instances":
        raise InputError(
            "is no address of an instance", remedy=f"write {DICOMWEB}SERVER/studies/…/series/…/instances/…"
        )
    session = requests.Session()
    session.hooks["response"].append(partial(_listen, arrival))
    try:
        client = DICOMwebClient(server, session=session, timeout=MOST_SILENT_SECONDS)
        client.set_http_retry_params(retry=False)  # --resume asks again: half a minute a file would be days
        dataset = client.retrieve_instance(words[0], words[2], words[4])
    except requests.HTTPError as error:
        code = "no code" if error.response is None else error.response.status_code
        raise InputError(f"the server answers {code}", remedy="check the address and the account") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"the server cannot be asked ({type(error).__name__})", remedy="check it and run with --resume"
        ) from None
    dataset.save_as(path)


def _listen(arrival: Arrival, response: requests.Response, **of_the_request: Any) -> None:
    """Tell of the bytes of an answer while it is read."""
    size = response.headers.get("Content-Length", "")
    arrival.announced(int(size) if size.isdecimal() else None)
    response.raw = _Heard(response.raw, arrival)


class _Heard:
    """The body of an answer, which tells of every piece."""

    def __init__(self, body: Any, arrival: Arrival):
        self._body = body
        self._arrival = arrival

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[bytes]:
        for piece in self._body.stream(*args, **kwargs):
            self._arrival.took(len(piece))
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)
