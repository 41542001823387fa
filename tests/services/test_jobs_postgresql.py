"""Jobs in PostgreSQL: done once, and taken up again after a kill, as in SQLite."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from tests.jobs.test_worker import KILLED, Stages, settled, tries
from tests.services.postgresql import PostgreSQL

from bustle.core.errors import InputError
from bustle.jobs.ledger import Jobs


def test_jobs_are_done_once_and_taken_up_again_after_a_kill(postgresql: PostgreSQL):
    stages, server = Stages(), postgresql.database("jobs")
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
