"""What the API tells of agreement."""

from __future__ import annotations

from typing import Literal

from bustle.webapp.messages import Message

Rater = Literal["model", "reader", "second"]
"""`reader` is whoever signed a case first, `second` whoever read it after that."""

Unit = Literal["mm", "px"]
Interval = tuple[float, float]


class Figure(Message):
    """A figure of `n` cases with its 95 % interval, None where they are too few or all alike."""

    value: float | None
    interval: Interval | None
    n: int


class DiameterPair(Message):
    """Two raters' long axes of one case's largest lesion: their mean, and the first's less the second's."""

    case: str
    mean: float
    difference: float


class DiameterAgreement(Message):
    """Bland and Altman's: the mean difference, and the limits between which 95 % of differences lie."""

    unit: Unit
    bias: float
    bias_interval: Interval
    limits: Interval
    lower_interval: Interval
    upper_interval: Interval
    points: list[DiameterPair]


class PairAgreement(Message):
    """Two raters on the cases that both have rated.

    `kappa` is Cohen's, on biopsy or not, and `advised` its table, yes before no, a row for each answer of the first.
    `dice` is the mean over cases where either has drawn; `same_outline` of them are alike to the pixel, as those are
    that a reader accepts.
    """

    first: Rater
    second: Rater
    cases: int
    kappa: Figure
    advised: list[list[int]]
    dice: Figure
    same_outline: int
    diameters: list[DiameterAgreement]


class Agreement(Message):
    signed: int
    pairs: list[PairAgreement]
