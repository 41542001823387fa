"""Backups of a page at which people are at work: each is of one moment, from either database into either."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from benchmarks._served import Served, started
from sqlalchemy import select
from sqlalchemy.orm import sessionmaker
from tests.services.postgresql import PostgreSQL

from bustle.webapp.data_folder import DataFolder
from bustle.webapp.database import connected, page_url
from bustle.webapp.demo_cases import PICTURES
from bustle.webapp.tables import Case

ROOT = Path(__file__).resolve().parents[2]
BACKUPS = 2


def work(served: Served, stop: threading.Event) -> None:
    """Drop pictures, read them, and delete every third."""
    content, turn = (PICTURES / "case043.png").read_bytes(), 0
    while not stop.is_set():
        turn += 1
        drop = served.ask("POST", "/drops", b"")["id"]
        served.ask("POST", f"/drops/{drop}/files", content)
        served.ask("POST", f"/drops/{drop}/read", b"")
        served.wait_for(drop, cases=1)
        (case,) = [one["id"] for one in served.ask("GET", "/cases") if one["drop"] == drop]
        read(served, case, version=0)
        if turn % 3 == 0:
            while served.ask("GET", f"/drops/{drop}")["state"] != "done":
                stop.wait(0.02)
            served.ask("DELETE", f"/cases/{case}")


def read(served: Served, case: str, *, version: int) -> None:
    served.ask("PUT", f"/cases/{case}/reading", {"version": version, "verdict": "accepted"})


def serve(*words: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bustle", "serve", *map(str, words)], cwd=ROOT / "src", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def place(folder: Path, database: str | None) -> list[str]:
    return ["--data-dir", str(folder), *([] if database is None else ["--database", database])]


@pytest.mark.parametrize("source", ["file", "postgresql"])
def test_backups_of_a_page_at_work_are_whole(source: str, postgresql: PostgreSQL, tmp_path: Path):
    database = None if source == "file" else postgresql.database("at_work")
    served = started(tmp_path / "data", *place(tmp_path / "data", database)[2:])
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(served, stop))
    worker.start()
    counts, into = [], None
    try:
        for number in range(BACKUPS):
            kept = tmp_path / f"{number}.zip"
            serve("backup", kept, *place(tmp_path / "data", database))
            into = postgresql.database(f"from_{source}_{number}") if number % 2 else None
            restored = tmp_path / f"restored-{number}"
            serve("restore", kept, *place(restored, into))
            counts.append(check(restored, into))
    finally:
        stop.set()
        worker.join()
        served.stop()
    assert counts[0] < counts[-1]
    goes_on(tmp_path / f"restored-{BACKUPS - 1}", into)


def check(folder: Path, database: str | None) -> int:
    """Each case that is there has its files and all of its readings; how many there are."""
    engine = connected(page_url(DataFolder(folder), database))
    with sessionmaker(engine)() as session:
        cases = list(session.scalars(select(Case)))
        assert {path.name for path in (folder / "cases").glob("*")} == {case.id for case in cases}
        for case in cases:
            assert DataFolder(folder).case(case.id).thumbnail.is_file()
            assert [reading.version for reading in case.readings] == list(range(1, case.version + 1))
    engine.dispose()
    return len(cases)


def goes_on(folder: Path, database: str | None) -> None:
    """The restored page is served and worked with."""
    served = started(folder, *place(folder, database)[2:])
    try:
        for case in served.ask("GET", "/cases"):
            told = served.ask("GET", f"/cases/{case['id']}")
            read(served, case["id"], version=told["version"])
            served.wait_for(case["drop"], cases=1)
        drop = served.ask("POST", "/drops", b"")["id"]
        served.ask("POST", f"/drops/{drop}/files", (PICTURES / "case213.png").read_bytes())
        served.ask("POST", f"/drops/{drop}/read", b"")
        served.wait_for(drop, cases=1)
    finally:
        served.stop()
