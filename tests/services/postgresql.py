"""A PostgreSQL server of the tests' own: Debian's package, on a free port, with its data in a folder that goes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALLED = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgreSQL:
    """A server that answers at `port` of this machine; its programs are in `tools`."""

    port: int
    tools: Path

    def database(self, name: str) -> str:
        """The URL of a new and empty database."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bustle"]
        subprocess.run([self.tools / "createdb", *where, name], check=True, capture_output=True)
        return f"postgresql://bustle:secret@127.0.0.1:{self.port}/{name}"


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """A server for the block. It does not run as root, which it refuses."""
    if not INSTALLED.is_dir():
        subprocess.run(["apt-get", "install", "--yes", "postgresql"], check=True, capture_output=True)
    tools = max(INSTALLED.glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="bustle-postgresql-"))
    shutil.chown(folder, "postgres")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    as_its_user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    making = [*as_its_user, tools / "initdb", "--auth=trust", "--username=bustle", "-D", data]
    subprocess.run(making, check=True, capture_output=True)
    listening = ["-h", "127.0.0.1", "-p", str(port), "-k", folder]
    running = subprocess.Popen(
        [*as_its_user, tools / "postgres", "-D", data, *listening],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asking = [tools / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        deadline = time.monotonic() + 60
        while subprocess.run(asking, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)
        yield PostgreSQL(port, tools)
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)
