"""What the answers of each device were month by month: where they change, the device or the model's fit has changed.

Nobody tells a node the truth about its studies. Shares and spreads of answers are what can be watched without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from bustle.node.read_study import PartRead
from bustle.node.settings import DriftLimits
from bustle.reading.verdict import NO_ULTRASOUND

UNKNOWN_DEVICE = "unknown device"


@dataclass(frozen=True, kw_only=True)
class MonthOfDevice:
    """`month` is such as 2026-11. `decisions` are shares of `answers`, 0 to 1.

    `malignant` are the 5th, 25th, 50th, 75th and 95th percentiles of the probability; empty where there is none.
    `warnings` tell which limits are passed.
    """

    device: str
    month: str
    answers: int
    decisions: Mapping[str, float]
    malignant: tuple[float, ...]
    warnings: tuple[str, ...]


def months_of_devices(parts: Iterable[tuple[str, PartRead]], *, limits: DriftLimits) -> tuple[MonthOfDevice, ...]:
    """From answers with their months, by device and then month; each month is compared with all before it."""
    grouped: dict[tuple[str, str], list[PartRead]] = {}
    for month, part in parts:
        grouped.setdefault((part.device or UNKNOWN_DEVICE, month), []).append(part)
    found = []
    before: dict[str, list[PartRead]] = {}
    for device, month in sorted(grouped):
        own = grouped[device, month]
        earlier = before.setdefault(device, [])
        found.append(
            MonthOfDevice(
                device=device,
                month=month,
                answers=len(own),
                decisions=_shares(own),
                malignant=_percentiles(own),
                warnings=tuple(_warnings(own, earlier, limits=limits)),
            )
        )
        earlier += own
    return tuple(found)


def _shares(parts: Sequence[PartRead]) -> dict[str, float]:
    counts = Counter(part.decision or "no decision" for part in parts)
    return {name: count / len(parts) for name, count in sorted(counts.items())}


def _probabilities(parts: Sequence[PartRead]) -> list[float]:
    return [part.malignant for part in parts if part.malignant is not None]


def _percentiles(parts: Sequence[PartRead]) -> tuple[float, ...]:
    told = _probabilities(parts)
    return tuple(float(value) for value in np.percentile(told, (5, 25, 50, 75, 95))) if told else ()


def _warnings(own: Sequence[PartRead], earlier: Sequence[PartRead], *, limits: DriftLimits) -> Iterable[str]:
    if len(own) < limits.fewest:
        return
    shares = _shares(own)
    other = shares.get(NO_ULTRASOUND, 0.0)
    if other > limits.other_pictures:
        yield f"{other:.0%} are {NO_ULTRASOUND}, more than {limits.other_pictures:.0%}"
    if len(earlier) < limits.fewest:
        return
    usual = _shares(earlier)
    for name in sorted(shares.keys() | usual.keys()):
        now, then = shares.get(name, 0.0), usual.get(name, 0.0)
        if abs(now - then) > limits.decision:
            yield f"{now:.0%} are {name}, {then:.0%} before"
    now, then = _probabilities(own), _probabilities(earlier)
    if now and then and abs(median(now) - median(then)) > limits.probability:
        yield f"the median probability of malignant is {median(now):.2f}, {median(then):.2f} before"
