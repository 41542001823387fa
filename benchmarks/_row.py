"""What a benchmark reports: one row per peer."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times faster (or smaller) bustle is, over the repeats of one run."""

    min: float
    median: float
    max: float

    @classmethod
    def over(cls, values: Sequence[float]) -> Ratio:
        return cls(min=min(values), median=statistics.median(values), max=max(values))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One peer, measured side by side with bustle. Without `ratio` it was left out, because `needs` is not installed.

    `roofline_fraction`: the share of what the machine could do at most that bustle reached. `bytes`: peak memory of
    each side, where that is what was measured. `each`: what one case or image takes, by what is in its name.
    `recall`: of an approximate search, against an exhaustive one.
    """

    goal: str
    peer: str
    ratio: Ratio | None = None
    needs: str | None = None
    roofline_fraction: float | None = None
    bytes: Mapping[str, int] | None = None
    each: Mapping[str, float] | None = None
    recall: float | None = None

    def line(self) -> str:
        if self.ratio is None:
            return f"{self.goal} | {self.peer}: left out, {self.needs} is not installed (extra `bench`)"
        told = f"{self.ratio.min:.2f}x / {self.ratio.median:.2f}x / {self.ratio.max:.2f}x (min / median / max)"
        if self.roofline_fraction is not None:
            told += f", {100 * self.roofline_fraction:.1f} % of the roofline"
        if self.recall is not None:
            told += f", recall {self.recall:.3f}"
        return f"{self.goal} | {self.peer}: {told}"
