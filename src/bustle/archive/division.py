"""The answers of an archive that has grown, divided into more parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bustle.archive.layout import ArchiveLayout, digests_of, parts_of
from bustle.archive.tables import read_table, write_table


@dataclass(frozen=True)
class PartDivision:
    """Gives what one part holds to those of `parts` where it belongs now, a multiple of the number before.

    Each new part takes from one old part alone, and that keeps its rows until the others have theirs: a task that is
    interrupted can be begun again.
    """

    out: Path
    parts: int

    def __call__(self, number: int) -> None:
        layout = ArchiveLayout(self.out)
        for place in (layout.masks, layout.answers):
            if place(number).exists():
                self._divide(place, number)

    def _divide(self, place: Callable[[int], Path], number: int) -> None:
        table = read_table(place(number))
        parts = parts_of(digests_of(table["sha256"].to_pylist()), self.parts)
        others = set(parts.tolist()) - {number}
        for part in (*sorted(others), number) if others else ():
            write_table(place(part), table.filter(parts == part))
