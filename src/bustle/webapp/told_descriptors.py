"""What was measured of a lesion, as the page tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.prediction_record import DescriptorsRecord
from bustle.webapp.messages import MeasuredValue


def told_descriptors(described: DescriptorsRecord | None, *, unit: str) -> dict[str, Any]:
    """The entries of a `DescribedLesion`, empty of one that was not measured; lengths are in `unit`."""
    if described is None:
        return {"touches_edge": None, "words": {}, "values": []}
    words = {name: word for name, word in described.words.by_name().items() if word is not None}
    values = list(_values(described.values, unit=unit))
    return {"touches_edge": described.touches_edge, "words": words, "values": values}


def _values(values: Mapping[str, float | None], *, unit: str) -> Iterable[MeasuredValue]:
    units = {"length": unit, "area": f"{unit}²", "volume": f"{unit}³", "degrees": "°", "bits": "bits"}
    for name, value in values.items():
        if value is not None:
            told = DEFINITIONS[name]
            yield MeasuredValue(name=name, title=told.title, value=value, unit=units.get(told.quantity, ""))
