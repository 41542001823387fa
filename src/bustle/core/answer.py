"""The one answer about a case that outline and classes agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from bustle.core.config import LEFT_OUT_AT_DEFAULT

Decision = Literal["benign", "malignant", "refer", "lesion possible", "no lesion", "no breast ultrasound"]
"""`refer`: a lesion whose class is open; `lesion possible`: its presence is open; the last one: another picture."""

LEFT_POSSIBLE: Mapping[Decision, Sequence[Set[str]]] = {
    "benign": [{"benign"}],
    "malignant": [{"malignant"}],
    "refer": [{"benign", "malignant"}],
    "lesion possible": [{"benign", "normal"}, {"malignant", "normal"}, {"benign", "malignant", "normal"}],
    "no lesion": [{"normal"}],
    "no breast ultrasound": [set()],
}
"""The sets of classes that a decision may leave possible."""


@dataclass(frozen=True, kw_only=True)
class MovedBy:
    """One measured descriptor of the largest lesion, and by how much it moves the probability of malignant.

    `change` is the calibrated probability minus what it would be if the `descriptor` were that of an average lesion;
    `words` say the `value` as a person sees it, such as "taller than wide".
    """

    descriptor: str
    words: str
    value: float
    change: float

    def __str__(self) -> str:
        return f"{self.words} {self.change:+.2f}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a decision rule makes of a network's outputs.

    `probabilities` by class are calibrated and sum to 1. `possible` are the classes that cannot be excluded at the
    rule's stated coverage: one for a decided class, several where the case is to be referred. Both are empty for
    "no breast ultrasound", of which nothing can be said. `moved_by` are the descriptors that move the probability of
    malignant most, the greatest change first, where the rule looks at descriptors. `suspected`: what is drawn may be
    no lesion at all; it follows from the decision, and older files leave it out.

    Raises `ValueError` where they contradict each other, such as "benign" where malignant is more probable.
    """

    decision: Decision
    probabilities: Mapping[str, float]
    possible: tuple[str, ...]
    moved_by: tuple[MovedBy, ...] = field(default=(), metadata=LEFT_OUT_AT_DEFAULT)
    suspected: bool | None = None

    def __post_init__(self) -> None:
        if not set(self.possible) <= set(self.probabilities):
            raise ValueError("possible must be some of the classes with a probability")
        if not all(0 <= value <= 1 for value in self.probabilities.values()):
            raise ValueError("the probabilities must lie between 0 and 1")
        if set(self.possible) not in LEFT_POSSIBLE[self.decision]:
            raise ValueError(
                f"{self.decision!r} is decided, and possible is: {', '.join(self.possible) or 'nothing'}"
            )
        suspected = self.decision == "lesion possible"
        if self.suspected not in (None, suspected):
            raise ValueError(f"suspected is {self.suspected}, and the decision {self.decision!r}")
        object.__setattr__(self, "suspected", suspected)
        if self.probabilities and not self.possible:
            raise ValueError("a picture that is no breast ultrasound has no probabilities")
        if len(self.possible) == 1 and self._more_probable():
            raise ValueError(f"{self.decision!r} is decided, and {self._more_probable()[0]} is more probable")

    def _more_probable(self) -> list[str]:
        """Of the classes between which the one possible class was decided, those that are more probable.

        Normal is not asked of a lesion's class: whether there is a lesion is a question of its own.
        """
        (decided,) = self.possible
        asked = set(self.probabilities) - (set() if decided == "normal" else {"normal"})
        return sorted(name for name in asked if self.probabilities[name] > self.probabilities[decided])

    @property
    def draws_nothing(self) -> bool:
        """Whether there is nothing to draw."""
        return self.decision in ("no lesion", "no breast ultrasound")

    @property
    def left_open(self) -> str:
        """Of several possible classes, what it could be: `could be benign or normal`. Empty for a decided case."""
        *most, last = self.possible or ("",)
        return f"could be {', '.join(most)} or {last}" if most else ""
