"""What a reader waits for: from `bustle serve` to the first answer on the page, and all of it in processor time.

A whole process with a folder of its own and one example picture, by the reference model, against the limit of 5 s.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._row import Ratio, Row
from benchmarks._served import started

PICTURE = Path(__file__).resolve().parents[1] / "src" / "bustle" / "webapp" / "demo" / "images" / "case227.png"
LIMIT = 5.0


@dataclass(frozen=True)
class Size:
    repeats: int


FULL = Size(repeats=5)
TINY = Size(repeats=1)


def run(size: Size) -> list[Row]:
    measured = [_first_answer() for _ in range(size.repeats)]
    return [
        Row(
            goal=f"first answer on the page, {LIMIT:g} s of {kind} time",
            peer="the limit",
            ratio=Ratio.over([LIMIT / spent[place] for spent in measured]),
        )
        for place, kind in enumerate(("wall", "processor"))
    ]


def _first_answer() -> tuple[float, float]:
    """Seconds of wall time and of the server's processor time."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        served = started(Path(folder) / "data")
        try:
            drop = served.ask("POST", "/drops", b"")["id"]
            served.ask("POST", f"/drops/{drop}/files", PICTURE.read_bytes())
            served.ask("POST", f"/drops/{drop}/read", b"")
            served.wait_for(drop, cases=1)
            wall = time.monotonic() - begun
            fields = Path(f"/proc/{served.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            return wall, sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        finally:
            served.stop()
