"""Lesion size strata: thirds of the lesions in images, small and large at 1 cm³ for those in volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bustle.evaluation.case_table import CaseRow, column_values

THIRDS = ("small", "medium", "large")
HALVES = ("small", "large")
VOLUME_BORDER = 1000.0
"""In mm³: C_MSVNet_Iter's authors report tumours of up to 1 cm³ by themselves, section 5."""


@dataclass(frozen=True)
class SizeStrata:
    """The strata's names and the borders between them; a size equal to a border belongs to the smaller stratum.

    `column` is the column of `cases.csv` that was cut, `unit` its unit (`px` counts pixels of the scored grid).
    """

    column: str
    unit: str
    names: tuple[str, ...]
    borders: tuple[float, ...]

    def stratum(self, row: CaseRow) -> str | None:
        """None for a case without a lesion or without a known mask."""
        size = row.value(self.column)
        return self.names[int(np.searchsorted(self.borders, size))] if size else None


def size_strata(rows: Sequence[CaseRow]) -> SizeStrata | None:
    """Volumes are cut at 1 cm³, images at the terciles of their lesions' areas: in mm² if every spacing is known.

    Terciles in pixels stand for whatever else there is. None when no case has a lesion mask.
    """
    lesions = [row for row in rows if row.area]
    if not lesions:
        return None
    if all(row.volume_mm3 is not None for row in lesions):
        return SizeStrata("volume_mm3", "mm³", HALVES, (VOLUME_BORDER,))
    physical = all(row.area_mm2 is not None for row in lesions)
    column, unit = ("area_mm2", "mm²") if physical else ("area", "px")
    low, high = np.quantile(column_values(lesions, column), [1 / 3, 2 / 3])
    return SizeStrata(column, unit, THIRDS, (float(low), float(high)))


def with_size_strata(rows: Sequence[CaseRow]) -> list[CaseRow]:
    """The rows with their column `size_stratum` filled in."""
    strata = size_strata(rows)
    return [replace(row, size_stratum=strata.stratum(row) if strata else None) for row in rows]
