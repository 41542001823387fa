"""A server killed at twenty moments of people's work: what it has said yes to is there, once."""

from __future__ import annotations

import hashlib
import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from benchmarks._served import Served, started
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker
from tests.services.postgresql import PostgreSQL

from bustle.client import PageClient
from bustle.core.errors import BustleError
from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import connected, page_url
from bustle.webapp.demo_cases import PICTURES
from bustle.webapp.tables import AuditEvent, Case, DroppedFile

MOMENTS = 10
"""On each of the two databases."""

WAITS = (0.0, 0.01, 0.04)
"""Seconds after the beginning of a step, in turn: within a request, or behind it."""

SCANS = sorted(PICTURES.glob("*.png"))
SQUARE = ((50.0, 60.0), (90.0, 60.0), (90.0, 100.0), (50.0, 100.0))


@dataclass
class Promised:
    """What the server has said yes to: drops to read by the number of their files, readings, and signatures.

    `steps` counts what was begun.
    """

    steps: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    readings: set[tuple[str, int]] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)


def work(address: str, promised: Promised) -> None:
    """Drop, read, correct and sign, until the server is gone."""
    page = PageClient(address)
    try:
        for count in itertools.cycle((1, 2)):
            promised.steps += 1
            begun = page.drop(SCANS[:count])
            promised.drops[begun.id] = count
            promised.steps += 1
            for _ in page.follow(begun.id, every=0.05):
                pass
            for case in page.cases(drop=begun.id):
                seen = page.case(case.id)
                promised.steps += 1
                saved = page.save_reading(seen, verdict="corrected", outlines=[SQUARE])
                promised.readings.add((case.id, saved.version))
                promised.steps += 1
                page.sign(saved, reader="Dr. Anna Example")
                promised.signed.add(case.id)
    except BustleError:
        return


def killed_at(moment: int, folder: Path, options: list[str], promised: Promised) -> None:
    served = started(folder, *options)
    worker = threading.Thread(target=work, args=(served.address, promised))
    worker.start()
    end = promised.steps + 1 + moment % 7  # up to the second drop
    while promised.steps < end and worker.is_alive():
        worker.join(0.001)
    worker.join(WAITS[moment % len(WAITS)])
    served.process.kill()
    served.process.communicate(timeout=60)
    worker.join()


@pytest.mark.parametrize("database", ["file", "postgresql"])
def test_nothing_is_lost_or_done_twice(
    database: str, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bustle.client.page_client.TRIES", 1)
    url = None if database == "file" else postgresql.database("killed")
    options = [] if url is None else ["--database", url]
    promised = Promised()
    for moment in range(MOMENTS):
        killed_at(moment, tmp_path / "data", options, promised)
    served = started(tmp_path / "data", *options)
    try:
        check_reading(served, promised)
    finally:
        served.stop()
    check_rows(DataFolder(tmp_path / "data"), url, promised)
    assert promised.drops
    assert promised.signed


def check_reading(served: Served, promised: Promised) -> None:
    """What was half read is read to its end, each file once."""
    for drop, count in promised.drops.items():
        served.wait_for(drop, cases=count)
        (*_, told) = PageClient(served.address).follow(drop)
        assert (told.state, told.done, told.total) == ("done", count, count)
    names = [(case["drop"], case["name"]) for case in served.ask("GET", "/cases")]
    assert len(names) == len(set(names))
    assert {drop for drop, _ in names} >= set(promised.drops)


def check_rows(data: DataFolder, url: str | None, promised: Promised) -> None:
    engine = connected(page_url(data, url))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in SCANS}
    with sessionmaker(engine)() as session:
        for file in session.scalars(select(DroppedFile)):
            stored = data.upload(file.drop_id, file.stored)
            assert hashlib.sha256(stored.read_bytes()).hexdigest() == file.sha256
            assert file.sha256 in digests
        cases = {case.id: case for case in session.scalars(select(Case))}
        for case, version in promised.readings:
            assert cases[case].version >= version
        for case in cases.values():
            assert [reading.version for reading in case.readings] == list(range(1, case.version + 1))
            deeds = list(session.scalars(select(AuditEvent.deed).where(AuditEvent.case_id == case.id)))
            assert len(deeds) == case.version
        for case in promised.signed:
            assert cases[case].reading is not None
            assert cases[case].readings[-1].signed is not None
        assert {path.name for path in (data.path / "cases").iterdir()} == set(cases)
    engine.dispose()
