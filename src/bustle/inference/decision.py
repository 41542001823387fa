"""From a network's outputs to the one answer that a person reads; nothing else turns probabilities into words.

Two questions in sequence, each a logistic rule with two conformal bounds: is there a lesion, and if so, is it
malignant. The second may look at what was measured of the lesion, too. A rule is data: it is fitted after a training
(`experiments/fit_decision.py`) and stored with run and package. Without one, the decision is the most probable class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer, Decision, MovedBy
from bustle.core.config import LEFT_OUT_AT_DEFAULT
from bustle.core.rule_section import RuleSection
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.descriptor_model import DescriptorModel
from bustle.inference.descriptors.plain_words import plain_words
from bustle.inference.picture_statistics import COUNT

NORMAL, BENIGN, MALIGNANT = "normal", "benign", "malignant"
LEAST = 1e-4
"""Probabilities closer to 0 or 1 than this count as this: a network's certainty beyond it means nothing."""

MOST_TOLD, LEAST_TOLD = 5, 0.01
"""So many descriptors are told at most, and none that moves the probability by less."""

Values = Mapping[str, float | None]
"""What was measured of a lesion, as `LesionDescriptors.values()`."""


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
        """Whether yes and no are possible.

        The more probable of them always is: an answer must not say one thing and its probability another. Coverage
        can only gain by it.
        """
        likely = probability >= 0.5
        return likely or probability >= self.least_yes, not likely or 1 - probability >= self.least_no


@dataclass(frozen=True, kw_only=True)
class Domain:
    """What pictures the rule is for: how far the statistics of a picture may lie from those that it was fitted on.

    `mean` of `picture_statistics`, the inverse `precision` of their covariance, and the greatest Mahalanobis
    distance, which is `reach` times that of nearly all fitted ones.
    """

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    most_distance: float
    reach: float = field(default=RuleSection().reach, metadata=LEFT_OUT_AT_DEFAULT)

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
class HeldOutFit:
    """How well probabilities tell malignant from benign lesions that the fit had not seen.

    `log_loss` in nats per case; `auc` is the area under the ROC curve.
    """

    log_loss: float
    auc: float


@dataclass(frozen=True, kw_only=True)
class MalignancyTrial:
    """The network alone against the network with descriptors, on `cases` lesions of the validation part.

    `gain` is by how much the log loss is lower with descriptors, `gain_error` the standard error of that mean.
    """

    cases: int
    network: HeldOutFit
    with_descriptors: HeldOutFit
    gain: float
    gain_error: float


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """How a model's outputs become an answer.

    `presence` asks for a lesion, from `presence_inputs`; None where the model knows no normal pictures or too few
    were at hand, so that every picture is taken to hold one. `malignancy` asks for its class, from
    `malignancy_inputs` and, where there are `descriptors`, from their log odds. `faintest_part` and `smallest_part`
    are those of the `outline`. `domain`: of other pictures nothing is said; None where too few were at hand. `trial`
    says why there are descriptors or none; None where that was not tried.
    """

    domain: Domain | None
    presence: Question | None
    malignancy: Question
    smallest_part: float
    faintest_part: float = field(default=0.0, metadata=LEFT_OUT_AT_DEFAULT)
    descriptors: DescriptorModel | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)
    trial: MalignancyTrial | None = field(default=None, metadata=LEFT_OUT_AT_DEFAULT)

    def __post_init__(self) -> None:
        if self.presence is not None and len(self.presence.weights) != 2:
            raise ValueError("presence needs two weights")
        if len(self.malignancy.weights) != (1 if self.descriptors is None else 2):
            raise ValueError("malignancy needs one weight, and a second one for descriptors")
        self.outline  # noqa: B018  (checks its values)

    @property
    def outline(self) -> OutlineRule:
        """What of an image's mask may be a lesion."""
        return OutlineRule(faintest_part=self.faintest_part, smallest_part=self.smallest_part)

    def answer(
        self, probabilities: Mapping[str, float], *, peak: float, statistics: Sequence[float], lesion: Values | None
    ) -> Answer:
        """What the rule makes of a network's class probabilities and the highest value of its lesion map.

        `statistics` are the picture's own (`picture_statistics`), none of a volume. `lesion` is what was measured of
        the largest lesion that may be there, which only a rule with descriptors looks at; None counts as an average
        one.
        """
        if self.domain is not None and not self.domain.holds(statistics):
            return Answer(decision="no breast ultrasound", probabilities={}, possible=())
        present, some, none = 1.0, True, False
        if self.presence is not None:
            present = self.presence.probability(presence_inputs(probabilities, peak=peak))
            some, none = self.presence.possible(present)
        return self._answer(probabilities, present=present, some=some, none=none, lesion=lesion)

    def redrawn(self, answer: Answer, probabilities: Mapping[str, float], *, lesion: Values | None) -> Answer:
        """The answer about the same picture where its largest lesion is drawn otherwise, and measured as `lesion`.

        `answer` and the network's class `probabilities` are the picture's; whether it holds a lesion is not asked
        anew.
        """
        if not answer.possible:
            return answer
        return self._answer(
            probabilities,
            present=1 - answer.probabilities.get(NORMAL, 0.0),
            some=set(answer.possible) != {NORMAL},
            none=NORMAL in answer.possible,
            lesion=lesion,
        )

    def _answer(
        self, probabilities: Mapping[str, float], *, present: float, some: bool, none: bool, lesion: Values | None
    ) -> Answer:
        """With the probability that there is a lesion, and whether one and none are possible."""
        inputs = malignancy_inputs(probabilities)
        if self.descriptors is not None:
            inputs = (*inputs, bounded_log_odds(self.descriptors.log_odds(lesion or {})))
        malignant = self.malignancy.probability(inputs)
        yes, no = self.malignancy.possible(malignant)
        classes = (BENIGN,) * no + (MALIGNANT,) * yes
        calibrated = {BENIGN: present * (1 - malignant), MALIGNANT: present * malignant, NORMAL: 1 - present}
        possible = {*(classes if some else ()), *((NORMAL,) if none else ())}
        return Answer(
            decision=_word(classes, lesion=some, none=none),
            probabilities={name: calibrated[name] for name in probabilities},
            possible=tuple(name for name in probabilities if name in possible),
            moved_by=self._moved_by(lesion or {}, inputs=inputs, present=present) if some else (),
        )

    def _moved_by(self, lesion: Values, *, inputs: tuple[float, ...], present: float) -> tuple[MovedBy, ...]:
        """The descriptors that move the probability of malignant most; see `MovedBy`."""
        if self.descriptors is None:
            return ()
        malignant, log_odds_of_lesion = self.malignancy.probability(inputs), self.descriptors.log_odds(lesion)
        found = []
        for name, part in self.descriptors.parts(lesion).items():
            value = lesion.get(name)
            without = self.malignancy.probability((inputs[0], bounded_log_odds(log_odds_of_lesion - part)))
            change = present * (malignant - without)
            if value is not None and abs(change) >= LEAST_TOLD:
                words = plain_words(name, value, usual=self.descriptors.terms[name].mean)
                found.append(MovedBy(descriptor=name, words=words, value=value, change=change))
        return tuple(sorted(found, key=lambda moved: -abs(moved.change))[:MOST_TOLD])


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


def bounded_log_odds(value: float) -> float:
    """Log odds as `log_odds` gives them, of a probability that was never formed."""
    most = log_odds(1.0)
    return min(max(value, -most), most)
