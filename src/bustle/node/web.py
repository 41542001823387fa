"""How a node speaks to a DICOMweb server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.jobs.stage import PostponedError
from bustle.node.settings import WebServer

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

_TIMEOUT = 60.0


@contextlib.contextmanager
def web_client(server: WebServer) -> Iterator[DICOMwebClient]:
    """Within the block, whatever the server or the network refuses is a `PostponedError`."""
    import requests
    from dicomweb_client import DICOMwebClient

    with requests.Session() as session:
        session.trust_env = False  # no proxy and no password of somebody's home folder
        if server.trusted is not None:
            session.verify = str(server.trusted)
        if server.user is not None and server.password is not None:
            session.auth = (server.user, _password(server.password))
        client = DICOMwebClient(server.url, session=session, timeout=_TIMEOUT)
        client.set_http_retry_params(retry=False)  # whoever asks will ask again
        try:
            yield client
        except requests.HTTPError as error:
            code = "no code" if error.response is None else error.response.status_code
            raise PostponedError(f"{server.url} answers {code}") from None
        except (OSError, ValueError) as error:  # of requests, and of a file of certificates
            raise PostponedError(f"{server.url} cannot be reached ({type(error).__name__})") from None


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PostponedError(f"the password in {path.name} cannot be read ({error.strerror})") from None
