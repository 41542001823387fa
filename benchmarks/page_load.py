"""Twenty people at one page at once: each drops a scan, waits for its answer, looks, corrects, saves, signs, exports.

A server of its own on loopback, with one program a person, none of whom pauses to think. Each step is measured
against a limit: what a person feels as at once, and half a minute for the answer, which one worker gives one by one.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._row import Ratio, Row
from benchmarks._served import started
from bustle.client import PageClient

PICTURE = Path(__file__).resolve().parents[1] / "src" / "bustle" / "webapp" / "demo" / "images" / "case227.png"
LIMITS = {"worklist": 1.0, "case": 1.0, "saved": 2.0, "signed": 2.0, "PDF": 5.0, "answer": 30.0}
"""Seconds."""

SQUARE = ((50.0, 60.0), (150.0, 60.0), (150.0, 160.0), (50.0, 160.0))


@dataclass(frozen=True)
class Size:
    people: int
    rounds: int


FULL = Size(people=20, rounds=2)
TINY = Size(people=2, rounds=1)

Timer = AbstractContextManager[None]
Timed = dict[str, list[float]]


def run(size: Size) -> list[Row]:
    spent: Timed = defaultdict(list)
    problems: list[BaseException] = []
    with tempfile.TemporaryDirectory() as folder:
        served = started(Path(folder) / "data")
        try:
            people = [
                threading.Thread(target=_work, args=(served.address, size.rounds, spent, problems))
                for _ in range(size.people)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
        finally:
            served.stop()
    if problems:
        raise problems[0]
    return [
        Row(
            goal=f"{size.people} people at once, {step} within {limit:g} s",
            peer="the limit",
            ratio=Ratio.over([limit / seconds for seconds in spent[step]]),
        )
        for step, limit in LIMITS.items()
    ]


def _work(address: str, rounds: int, spent: Timed, problems: list[BaseException]) -> None:
    try:
        page = PageClient(address)
        for _ in range(rounds):
            _read_one(page, _timing(spent))
    except BaseException as error:
        problems.append(error)


def _read_one(page: PageClient, timed: Callable[[str], Timer]) -> None:
    with timed("answer"):
        drop = page.read([PICTURE])
    with timed("worklist"):
        (case,) = page.cases(drop=drop.id)
    with timed("case"):
        detail = page.case(case.id)
    with timed("saved"):
        detail = page.save_reading(detail, verdict="corrected", outlines=[SQUARE], birads="4A")
    with timed("signed"):
        page.sign(detail, reader="Dr. Anna Example")
    with timed("PDF"), tempfile.TemporaryDirectory() as folder:
        page.export(case.id, "pdf", Path(folder) / "report.pdf")


def _timing(spent: Timed) -> Callable[[str], Timer]:
    @contextmanager
    def timed(step: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        spent[step].append(time.perf_counter() - begun)

    return timed
