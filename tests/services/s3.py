"""S3-compatible storage, which is moto's server."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.services.fresh_environment import FreshEnvironment


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """Within the block, its address; it is installed into `folder`, and holds nothing at first."""
    environment = FreshEnvironment(folder)
    environment.install("moto[s3,server]")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    words = [environment.commands / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not _answers(address):
            assert time.monotonic() < deadline, "moto does not answer"
            time.sleep(0.2)
        yield address
    finally:
        running.terminate()
        running.wait()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except OSError:
        return False
    return True
