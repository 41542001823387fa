"""Jobs in PostgreSQL: done once, and taken up again after a kill, as in SQLite."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import network_uses
from tests.jobs.test_worker import KILLED, Stages, settled, tries

from bustle.core.errors import InputError
from bustle.jobs.ledger import Jobs

INSTALLED = Path("/usr/lib/postgresql")


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Nothing but the database on this machine is asked."""
    seen = len(network_uses)
    yield
    assert [use for use in network_uses[seen:] if "127.0.0.1" not in use] == []


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an empty database, whose server does not run as root, which it refuses."""
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
        yield f"postgresql://bustle:secret@127.0.0.1:{port}/postgres"
    finally:
        running.terminate()
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_jobs_are_done_once_and_taken_up_again_after_a_kill(server: str):
    stages = Stages()
    with Jobs(server, name="list", stages=["read", "send"]) as jobs:
        for name in ("a", "b"):
            jobs.submit(name, {"pages": 3})
            jobs.submit(name, {"pages": 100})
        killed = subprocess.Popen([sys.executable, "-c", KILLED, server], stdout=subprocess.PIPE, text=True)
        try:
            assert killed.stdout is not None
            held = killed.stdout.readline().strip()
            assert [job.id for job in jobs.list() if job.state == "running"] == [held]
        finally:
            killed.kill()
            killed.communicate()
        with stages.worker(server):
            found = settled(jobs, "a", "b")
    assert [job.results["send"] for job in found] == [{"sent": 6}, {"sent": 6}]
    assert (tries(stages.read, "a"), tries(stages.read, "b")) == (1, 1)


def test_a_server_that_is_away_is_one_line_without_the_password():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        nobody = found.getsockname()[1]
    with pytest.raises(InputError) as caught:
        Jobs(f"postgresql://bustle:secret@127.0.0.1:{nobody}/postgres", name="list", stages=["read"])
    assert "secret" not in str(caught.value)
    assert "cannot be used" in str(caught.value)
