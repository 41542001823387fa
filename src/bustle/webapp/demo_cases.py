"""Example pictures on the page, read before it opens: they show what it does, to whoever has no scan at hand."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import select

from bustle.core.errors import InputError
from bustle.core.files import sha256_of_file, write_bytes
from bustle.webapp.server import Server
from bustle.webapp.tables import Drop, DroppedFile, now

PICTURES = Path(__file__).parent / "demo" / "images"
DROP = "demo"
LONGEST_WAIT = 300
"""Seconds; reading them takes three."""


def add_demo_cases(server: Server) -> None:
    """Drop the example pictures where nothing has been dropped yet, and wait until they are read.

    Raises `InputError` where they cannot be.
    """
    with server.sessions.begin() as session:
        if session.scalar(select(Drop.id).limit(1)) is not None:
            return
        drop = Drop(id=DROP, made=now(), begun=True)
        session.add(drop)
        for number, path in enumerate(sorted(PICTURES.glob("*.png"))):
            stored = server.data.drop(DROP) / path.name
            write_bytes(stored, path.read_bytes())
            server.data.keep(stored)
            drop.files.append(
                DroppedFile(
                    id=f"{DROP}-{path.stem}",
                    number=number,
                    name=path.name,
                    stored=path.name,
                    size=stored.stat().st_size,
                    sha256=sha256_of_file(stored),
                    remarks=[],
                    deleted=[],
                )
            )
    server.jobs.submit(DROP, {"drop": DROP})
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        job = server.jobs.state(DROP)
        if job is not None and job.state == "failed":
            raise InputError(f"the example pictures were not read ({job.reason})", remedy="start without --demo")
        if job is not None and job.state == "done":
            return
        time.sleep(server.settings.poll)
