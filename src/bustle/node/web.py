"""How a node speaks to a DICOMweb server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bustle.jobs.stage import PostponedError
from bustle.node.settings import MB, WebServer

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from requests import Response

_TIMEOUT = 60.0


class TooLargeError(PostponedError):
    """A server gives more than it may."""


@contextlib.contextmanager
def web_client(server: WebServer, *, most: int) -> Iterator[DICOMwebClient]:
    """Within the block, whatever the server or the network refuses is a `PostponedError`.

    An answer of more than `most` bytes, after decompression, is cut off and a `TooLargeError`.
    """
    import requests
    from dicomweb_client import DICOMwebClient

    def limited(response: Response, **_: Any) -> None:
        response.raw = _LimitedBody(response.raw, server.url, most=most)

    with requests.Session() as session:
        session.hooks["response"].append(limited)
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


class _LimitedBody:
    """What a server sends, which requests would read to its end: it would fill the memory."""

    def __init__(self, body: Any, url: str, *, most: int):
        self._body = body
        self._url = url
        self._most = most

    def stream(self, *arguments: Any, **options: Any) -> Iterator[bytes]:
        size = 0
        for part in self._body.stream(*arguments, **options):
            size += len(part)
            if size > self._most:
                self._body.close()
                raise TooLargeError(f"{self._url} gives more than {self._most // MB} MB")
            yield part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PostponedError(f"the password in {path.name} cannot be read ({error.strerror})") from None
