"""What the answers of each device were month by month: where they change, the device or the model's fit has changed.

Nobody tells a node the truth about its studies. Shares and spreads of answers are what can be watched without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.node.answer_counts import AnswerCounts
from bustle.node.settings import DriftLimits
from bustle.reading.verdict import NO_ULTRASOUND


@dataclass(frozen=True, kw_only=True)
class MonthOfDevice:
    """`month` is such as 2026-11. `decisions` are shares of `answers`, 0 to 1.

    `other_pictures` is the share that is no breast ultrasound. `malignant` are the 5th, 25th, 50th, 75th and 95th
    percentiles of the probability; empty where there is none. `warnings` tell which limits are passed.
    """

    device: str
    month: str
    answers: int
    decisions: Mapping[str, float]
    other_pictures: float
    malignant: tuple[float, ...]
    warnings: tuple[str, ...]


def months_of_devices(counts: Iterable[AnswerCounts], *, limits: DriftLimits) -> tuple[MonthOfDevice, ...]:
    """By device and then month, as the counts come; each month is compared with all before it."""
    found = []
    before: dict[str, list[AnswerCounts]] = {}
    for own in counts:
        earlier = before.setdefault(own.device, [])
        shares = _shares([own])
        found.append(
            MonthOfDevice(
                device=own.device,
                month=own.month,
                answers=_answers([own]),
                decisions=shares,
                other_pictures=shares.get(NO_ULTRASOUND, 0.0),
                malignant=_percentiles(own),
                warnings=tuple(_warnings(own, earlier, limits=limits)),
            )
        )
        earlier.append(own)
    return tuple(found)


def _answers(months: Sequence[AnswerCounts]) -> int:
    return sum(sum(month.decisions.values()) for month in months)


def _shares(months: Sequence[AnswerCounts]) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for month in months:
        counts.update(month.decisions)
    return {name: count / counts.total() for name, count in sorted(counts.items())}


def _probabilities(months: Sequence[AnswerCounts]) -> NDArray[np.float64]:
    values = [float(value) for month in months for value in month.malignant]
    return np.repeat(values, [count for month in months for count in month.malignant.values()])


def _percentiles(month: AnswerCounts) -> tuple[float, ...]:
    told = _probabilities([month]) if month.malignant else ()
    return tuple(float(value) for value in np.percentile(told, (5, 25, 50, 75, 95))) if len(told) else ()


def _warnings(own: AnswerCounts, earlier: Sequence[AnswerCounts], *, limits: DriftLimits) -> Iterable[str]:
    if _answers([own]) < limits.fewest:
        return
    shares = _shares([own])
    other = shares.get(NO_ULTRASOUND, 0.0)
    if other > limits.other_pictures:
        yield f"{other:.0%} are {NO_ULTRASOUND}, more than {limits.other_pictures:.0%}"
    if _answers(earlier) < limits.fewest:
        return
    usual = _shares(earlier)
    for name in sorted(shares.keys() | usual.keys()):
        now, then = shares.get(name, 0.0), usual.get(name, 0.0)
        if abs(now - then) > limits.decision:
            yield f"{now:.0%} are {name}, {then:.0%} before"
    if own.malignant and any(month.malignant for month in earlier):
        now, then = float(np.median(_probabilities([own]))), float(np.median(_probabilities(earlier)))
        if abs(now - then) > limits.probability:
            yield f"the median probability of malignant is {now:.2f}, {then:.2f} before"
