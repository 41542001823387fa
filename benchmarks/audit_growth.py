"""What ten and fifty times as many cases cost to audit and then to split: the largest takes most of an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks._growth import FULL as FULL
from benchmarks._growth import TINY as TINY
from benchmarks._growth import Size, rows, spec, spent
from benchmarks._row import Row
from bustle.cli.main import main


def run(size: Size) -> Iterator[Row]:
    return rows(COMMANDS, spend, size)


def spend(name: str, folder: str) -> tuple[float, int]:
    return spent(COMMANDS[name], folder)


def _audit(folder: Path) -> None:
    assert main(["data", "audit", spec(folder), "--out", str(folder / "audit")]) == 0


def _split(folder: Path) -> None:
    assert main(["data", "split", spec(folder), "--out", str(folder / "splits.json")]) == 0


COMMANDS: Mapping[str, Callable[[Path], None]] = {"bustle data audit": _audit, "bustle data split": _split}
