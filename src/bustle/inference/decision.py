"""From a network's outputs to the one answer that a person reads; nothing else turns probabilities into words.

Two questions in sequence, each a logistic rule with two conformal bounds: is there a lesion, and if so, is it
malignant. A rule is data: it is fitted after a training (`experiments/fit_decision.py`) and stored with run and
package. Without one, the decision is the most probable class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer, Decision
from bustle.inference.picture_statistics import COUNT

NORMAL, BENIGN, MALIGNANT = "normal", "benign", "malignant"
LEAST = 1e-4
"""Probabilities closer to 0 or 1 than this count as this: a network's certainty beyond it means nothing."""

MOST_SCORE = 500.0
"""Beyond it the exponential overflows."""


def named(probabilities: NDArray[np.float32] | None, *, classes: Sequence[str]) -> dict[str, float] | None:
    """The probabilities `N` of one case by class name, in the order of `classes`; None of a network without any."""
    return None if probabilities is None else dict(zip(classes, map(float, probabilities), strict=True))


def most_probable(probabilities: Mapping[str, float] | None) -> str | None:
    """The most probable class, the first of equals; None where no class has a probability."""
    return max(probabilities, key=probabilities.__getitem__) if probabilities else None


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with a calibrated probability of yes, and when yes or no cannot be excluded.

    The probability is the logistic function of `intercept` plus `weights` times the inputs. Yes is possible if its
    probability is at least `least_yes`, no if that of no is at least `least_no`: so at least `coverage_yes` of the
    cases of yes have yes among the possible answers, and `coverage_no` of the others no (split conformal prediction
    by class; Vovk, "Conditional validity of inductive conformal predictors", 2012). A bound of 0 never excludes:
    there were too few cases, `cases_yes` or `cases_no`, for that coverage.
    """

    intercept: float
    weights: tuple[float, ...]
    least_yes: float
    least_no: float
    coverage_yes: float
    coverage_no: float
    cases_yes: int
    cases_no: int

    def __post_init__(self) -> None:
        shares = (self.least_yes, self.least_no, self.coverage_yes, self.coverage_no)
        if not all(0 <= value <= 1 for value in shares) or not self.weights:
            raise ValueError("bounds and coverages must lie between 0 and 1, and there must be a weight")

    def probability(self, inputs: Sequence[float]) -> float:
        """The calibrated probability of yes."""
        return 1 / (
            1 + math.exp(-self.intercept - math.fsum(w * x for w, x in zip(self.weights, inputs, strict=True)))
        )

    def possible(self, probability: float) -> tuple[bool, bool]:
        """Whether yes and no are possible; where neither reaches its bound, the one that comes nearer to it."""
        yes, no = probability >= self.least_yes, 1 - probability >= self.least_no
        if not yes and not no:
            yes = probability * self.least_no >= (1 - probability) * self.least_yes
            no = not yes
        return yes, no


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What pictures the rule is for: how far the statistics of a picture may lie from those that it was fitted on.

    `mean` of `picture_statistics`, the inverse `precision` of their covariance, and the greatest Mahalanobis
    distance.
    """

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    most_distance: float

    def __post_init__(self) -> None:
        if {len(self.mean), len(self.precision), *map(len, self.precision)} != {COUNT}:
            raise ValueError(f"mean and precision need {COUNT} numbers along every axis")

    def distance(self, statistics: Sequence[float]) -> float:
        """How far a picture with these statistics lies from the fitted ones, in standard deviations."""
        away = np.array(statistics, np.float64) - np.array(self.mean)
        return math.sqrt(max(float(away @ np.array(self.precision) @ away), 0.0))

    def holds(self, statistics: Sequence[float]) -> bool:
        return self.distance(statistics) <= self.most_distance


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """How a model's outputs become an answer.

    `presence` asks for a lesion, from `presence_inputs`; None where the model knows no normal pictures or too few
    were at hand, so that every picture is taken to hold one. `malignancy` asks for its class, from
    `malignancy_inputs`. `smallest_part`: a drawn part below this share of the largest one's area is dropped.
    `domain`: of other pictures nothing is said; None where too few were at hand.
    """

    domain: Domain | None
    presence: Question | None
    malignancy: Question
    smallest_part: float

    def __post_init__(self) -> None:
        if self.presence is not None and len(self.presence.weights) != 2:
            raise ValueError("presence needs two weights")
        if len(self.malignancy.weights) != 1:
            raise ValueError("malignancy needs one weight")
        if not 0 <= self.smallest_part < 1:
            raise ValueError("smallest_part must be at least 0 and below 1")

    def answer(self, probabilities: Mapping[str, float], *, peak: float, statistics: Sequence[float]) -> Answer:
        """What the rule makes of a network's class probabilities and the highest value of its lesion map.

        `statistics` are the picture's own (`picture_statistics`).
        """
        if self.domain is not None and not self.domain.holds(statistics):
            return Answer(decision="no breast ultrasound", probabilities={}, possible=())
        present, lesion, none = 1.0, True, False
        if self.presence is not None:
            present = self.presence.probability(presence_inputs(probabilities, peak=peak))
            lesion, none = self.presence.possible(present)
        malignant = self.malignancy.probability(malignancy_inputs(probabilities))
        yes, no = self.malignancy.possible(malignant)
        classes = (BENIGN,) * no + (MALIGNANT,) * yes
        calibrated = {BENIGN: present * (1 - malignant), MALIGNANT: present * malignant, NORMAL: 1 - present}
        possible = {*(classes if lesion else ()), *((NORMAL,) if none else ())}
        return Answer(
            decision=_word(classes, lesion=lesion, none=none),
            probabilities={name: calibrated[name] for name in probabilities},
            possible=tuple(name for name in probabilities if name in possible),
        )


def _word(classes: tuple[str, ...], *, lesion: bool, none: bool) -> Decision:
    if none:
        return "lesion possible" if lesion else "no lesion"
    if classes == (BENIGN,):
        return "benign"
    return "malignant" if classes == (MALIGNANT,) else "refer"


def presence_inputs(probabilities: Mapping[str, float], *, peak: float) -> tuple[float, float]:
    """The log-odds of the lesion map's highest value, and those of the class head that there is a lesion."""
    return log_odds(peak), log_odds(1 - probabilities[NORMAL])


def malignancy_inputs(probabilities: Mapping[str, float]) -> tuple[float]:
    """The log-odds of malignant against benign."""
    benign, malignant = (max(probabilities[name], LEAST) for name in (BENIGN, MALIGNANT))
    return (math.log(malignant / benign),)


def log_odds(probability: float) -> float:
    bounded = min(max(probability, LEAST), 1 - LEAST)
    return math.log(bounded / (1 - bounded))
