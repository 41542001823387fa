"""Sees what Python code does on the network; compiled libraries are seen by a tracer of system calls only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}


def on_network_use(tell: Callable[[str], None]) -> None:
    """From now on `tell` hears of every look-up and connection of this process; local sockets are none."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in LOOKUPS or (event in EVENTS and isinstance(arguments[1], tuple)):
            tell(f"{event} {arguments}")

    sys.addaudithook(hook)
