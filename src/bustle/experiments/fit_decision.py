"""Fitting the rule that turns a network's outputs into answers, on cases that it did not learn from.

The cases are those of a fold's validation part, which chose the epoch and nothing else; test parts stay unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.rule_section import RuleSection
from bustle.experiments.calibration_case import CalibrationCase
from bustle.experiments.malignancy_fit import KnownLesions, fit_malignancy
from bustle.experiments.outline_fit import fit_outline
from bustle.experiments.question_fit import question_of
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.decision import (
    BENIGN,
    MALIGNANT,
    NORMAL,
    DecisionRule,
    Domain,
    Question,
    malignancy_inputs,
    presence_inputs,
)

LEAST_PICTURES = 50
"""For the mean and covariance of their statistics."""

SHRINKAGE = 0.01
"""Of each statistic's variance, added to the covariance so that it can be inverted."""

LEAST_VARIANCE = 0.05**2
"""Of a statistic that hardly varies at home: that no picture there has a coloured pixel does not forbid a few."""

IN_DOMAIN = 0.99
"""The share of the fitted pictures within the distance that the rule's reach multiplies."""


def fit_rule(cases: Sequence[CalibrationCase], *, section: RuleSection) -> DecisionRule | None:
    """The rule that these cases lead to; None where too few are known to be benign or malignant."""
    outline = fit_outline(cases, usual=OutlineRule(faintest_part=section.faintest_part))
    lesions = known_lesions(cases, outline=outline)
    malignancy = fit_malignancy(lesions, coverage=section.class_coverage)
    if malignancy is None:
        return None
    return DecisionRule(
        domain=fit_domain(np.array([case.statistics for case in cases]), reach=section.reach),
        presence=fit_presence(cases, section=section),
        malignancy=malignancy.question,
        **vars(outline),
        descriptors=malignancy.descriptors,
        trial=malignancy.trial,
    )


def section_of(rule: DecisionRule | None) -> RuleSection:
    """What a rule keeps and how far it reaches, for one that is fitted in its place; else the default."""
    section = RuleSection()
    if rule is None:
        return section
    if rule.presence is not None:
        lesions, normals = rule.presence.coverage_yes, rule.presence.coverage_no
        section = replace(section, lesion_coverage=lesions, normal_coverage=normals)
    if rule.domain is not None:
        section = replace(section, reach=rule.domain.reach)
    return replace(section, class_coverage=rule.malignancy.coverage_yes)


def fit_presence(cases: Sequence[CalibrationCase], *, section: RuleSection) -> Question | None:
    """The question whether there is a lesion; None of a network without normals, and of too few cases."""
    known = [case for case in cases if case.has_lesion is not None and NORMAL in case.probabilities]
    return question_of(
        [presence_inputs(case.probabilities, peak=case.peak) for case in known],
        [bool(case.has_lesion) for case in known],
        coverage_yes=section.lesion_coverage,
        coverage_no=section.normal_coverage,
    )


def known_lesions(cases: Sequence[CalibrationCase], *, outline: OutlineRule) -> KnownLesions:
    """Those of the cases that are known to be benign or malignant, measured as the rule `outline` draws them."""
    lesions = [case for case in cases if case.label in (BENIGN, MALIGNANT)]
    return KnownLesions(
        network=np.array([malignancy_inputs(case.probabilities)[0] for case in lesions]),
        measured=[case.lesion(outline) for case in lesions],
        malignant=np.array([case.label == MALIGNANT for case in lesions], bool),
        groups=[case.group for case in lesions],
    )


def fit_domain(statistics: NDArray[np.float64], *, reach: float) -> Domain | None:
    """What pictures look like whose statistics are `n x COUNT`; None of too few, and of volumes, which have none.

    The bound is the distance that 1 % of them exceed, times `reach`.
    """
    if len(statistics) < LEAST_PICTURES or not statistics.size:
        return None
    mean, variance = statistics.mean(axis=0), statistics.var(axis=0)
    raised = np.maximum(LEAST_VARIANCE - variance, 0) + SHRINKAGE * variance
    covariance = np.cov(statistics.T) + np.diag(raised)
    precision = np.linalg.inv(covariance)
    unbounded = Domain(
        mean=tuple(mean.tolist()), precision=tuple(map(tuple, precision.tolist())), most_distance=0.0, reach=reach
    )
    distances = [unbounded.distance(each) for each in statistics]
    return replace(unbounded, most_distance=reach * float(np.quantile(distances, IN_DOMAIN)))
