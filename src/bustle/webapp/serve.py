"""Starting the server on this machine, and ending it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from bustle.core.errors import InputError
from bustle.core.file_lock import FileLock
from bustle.core.files import write_error
from bustle.core.progress import announce
from bustle.webapp.access import LOCAL_HOSTS, Access
from bustle.webapp.app import make_app, open_server
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.server import PageSettings

LONGEST_GOODBYE = 5
"""Seconds that requests under way are given when the server ends."""


def serve(settings: PageSettings, *, host: str, port: int, public: str | None = None) -> None:
    """Serve until Ctrl-C; `public` is the `public_url` at which a proxy takes requests for this server.

    Raises `InputError` for a port or a data folder that is in use or not to be had, and for what is no model.
    """
    data = DataFolder(settings.data)
    data.make()
    lock = FileLock(data.lock)
    try:
        if lock.take() == "busy":
            raise InputError("is in use by another `bustle serve`", remedy="end it, or give another", path=data.path)
    except OSError as error:
        raise write_error(data.lock, error) from error
    with _listening(host, port) as listener:
        is_local = host in LOCAL_HOSTS
        access = Access(hosts=LOCAL_HOSTS if is_local or public else (), public_url=public)
        site = public or f"http://{name_in_address(host)}:{listener.getsockname()[1]}"
        lines = [
            f"open {site}/?token={access.token}",
            f"what is dropped {'stays in' if settings.kept else 'goes at the end, with'} {data.path}; Ctrl-C ends",
        ]
        if settings.sign_in is not None:
            lines.append(f"people sign in with the provider's accounts at {site}")
        if not is_local and not site.startswith("https:"):
            lines.append("warning: pictures and token travel unencrypted to other machines")
        try:
            with open_server(settings) as server:
                config = uvicorn.Config(
                    make_app(server, access),
                    lifespan="off",
                    log_level="warning",
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=LONGEST_GOODBYE,
                )
                _AnnouncedServer(config, lines).run([listener])
        except KeyboardInterrupt:
            waiting = "; what is not read yet is read at the next start" if settings.kept else ""
            announce(f"bustle: ended{waiting}")


class _AnnouncedServer(uvicorn.Server):
    """Says where it is once it answers there."""

    def __init__(self, config: uvicorn.Config, lines: Sequence[str]):
        super().__init__(config)
        self._lines = lines

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for line in self._lines:
                announce(f"bustle: {line}")


def default_data_folder() -> Path:
    """Where the page's data are where nobody says otherwise."""
    return Path.home() / "bustle-page"


def name_in_address(host: str) -> str:
    """How a browser names what listens at `host`, the part of an address before the port."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    if host == "localhost":  # which a browser may look for at ::1, where somebody else may listen
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InputError(
            f"the server cannot listen at port {port} of {host} ({error.strerror})",
            remedy="give another --port or --host",
        ) from error
    return listener
