"""Lesion size strata: small, medium and large thirds of the lesions that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

STRATA = ("small", "medium", "large")


@dataclass(frozen=True)
class SizeStrata:
    """The two borders between the strata; an area equal to a border belongs to the smaller stratum.

    `column` is the column of `cases.csv` that was cut, `unit` its unit (`px` counts pixels of the scored grid).
    """

    column: str
    unit: str
    borders: tuple[float, float]

    def stratum(self, row: Mapping[str, Any]) -> str | None:
        """None for a case without a lesion or without a known mask."""
        area = row[self.column]
        return STRATA[int(np.searchsorted(self.borders, area))] if area else None


def size_strata(rows: Sequence[Mapping[str, Any]]) -> SizeStrata | None:
    """Terciles of the true lesion areas: in mm² if every lesion's spacing is known, else in pixels.

    None when no case has a lesion mask.
    """
    lesions = [row for row in rows if row["area"]]
    if not lesions:
        return None
    physical = all(row["area_mm2"] is not None for row in lesions)
    column, unit = ("area_mm2", "mm²") if physical else ("area", "px")
    low, high = np.quantile([row[column] for row in lesions], [1 / 3, 2 / 3])
    return SizeStrata(column, unit, (float(low), float(high)))


def with_size_strata(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their column `size_stratum` filled in."""
    strata = size_strata(rows)
    return [{**row, "size_stratum": strata.stratum(row) if strata else None} for row in rows]
