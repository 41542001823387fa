"""What ten and fifty times as many cases cost: preparing them for a training, scoring them with the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks._growth import FULL as FULL
from benchmarks._growth import TINY as TINY
from benchmarks._growth import Size, predictions, rows, spec, spent
from benchmarks._row import Row
from bustle.cli.main import main
from bustle.core.data_section import ImageData
from bustle.data.prepared.cache import CaseCache
from bustle.data.sources import open_sources


def run(size: Size) -> Iterator[Row]:
    return rows(COMMANDS, spend, size)


def spend(name: str, folder: str) -> tuple[float, int]:
    return spent(COMMANDS[name], folder)


def _cache(folder: Path) -> None:
    cases = open_sources([spec(folder)]).cases
    CaseCache.open(cases, section=ImageData(size=(64, 64)), directory=folder / "cache")


def _evaluate(folder: Path) -> None:
    told, out = str(predictions(folder)), str(folder / "scores")
    assert main(["evaluate", "--predictions", told, "--data", spec(folder), "--out", out]) == 0


COMMANDS: Mapping[str, Callable[[Path], None]] = {
    "the prepared cases of a training": _cache,
    "bustle evaluate with its report": _evaluate,
}
