"""A decision rule fitted to one site's own cases, and how it answers cases of patients that it was not fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bustle.core.answer import Answer
from bustle.core.errors import InputError
from bustle.experiments.calibration_case import CalibrationCase
from bustle.experiments.fit_decision import fit_domain, fit_presence, known_lesions, section_of
from bustle.experiments.malignancy_fit import question_of_malignancy
from bustle.experiments.outline_fit import fit_outline, outlined_lesions
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.decision import BENIGN, MALIGNANT, NORMAL, DecisionRule, Question, bounded_log_odds

FOLDS = 5

LEAST_PATIENTS = 15
"""With benign and with malignant lesions each: with fewer, those left out of five parts have no rule."""

LEAST_LESIONS = 50
"""To fit whether there is a lesion, whose coverage of 98 % no fewer can bound, and which parts are dropped."""


PARTS = ("presence", "domain", "smallest_part")
"""Of a rule, beside the probability of malignant: fitted where there are cases enough."""


@dataclass(frozen=True, kw_only=True)
class LocalRule:
    """The `rule`, and which parts of it are `fitted` on the local cases; the others are those of the rule before."""

    rule: DecisionRule
    fitted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HeldOutAnswers:
    """The `answers` in the order of the cases, and the `parts` that could be fitted without any fifth of them.

    A rule with just these parts fitted is the one that the answers tell of.
    """

    answers: Sequence[Answer]
    parts: tuple[str, ...]


def check_enough(cases: Sequence[CalibrationCase]) -> None:
    """Raises `InputError` for too few patients of a class."""
    patients = {name: len({case.group for case in cases if case.label == name}) for name in (BENIGN, MALIGNANT)}
    if min(patients.values()) < LEAST_PATIENTS:
        found = " and ".join(f"{count} with {name} lesions" for name, count in patients.items())
        raise InputError(
            f"{found} are too few patients to fit on and to check the fit",
            remedy=f"give at least {LEAST_PATIENTS} of either; until then use the package as it is",
        )


def fit_local_rule(
    before: DecisionRule | None, cases: Sequence[CalibrationCase], *, parts: Collection[str] = PARTS
) -> LocalRule:
    """What can be fitted on these cases: always the probability of malignant and its bounds.

    Its descriptors are those of the rule `before`, weighed anew. Of the `parts`, those are fitted for which there are
    cases enough. Raises `InputError` for too few lesions of a class.
    """
    section, outline = section_of(before), OutlineRule() if before is None else before.outline
    fits_outline = "smallest_part" in parts and len(outlined_lesions(cases)) >= LEAST_LESIONS
    if fits_outline:
        outline = fit_outline(cases, usual=outline)
    malignancy = _malignancy(before, cases, outline=outline, coverage=section.class_coverage)
    if malignancy is None:
        check_enough(cases)
        raise InputError("one class has too few lesions", remedy="give more cases")
    if before is None:
        rule = DecisionRule(domain=None, presence=None, malignancy=malignancy, **vars(outline))
    else:
        rule = replace(before, malignancy=malignancy, trial=None, **vars(outline))
    fitted = ["malignancy"]
    lesions = sum(case.has_lesion is True for case in cases)
    presence = fit_presence(cases, section=section) if "presence" in parts and lesions >= LEAST_LESIONS else None
    if presence is not None:
        rule, fitted = replace(rule, presence=presence), [*fitted, "presence"]
    statistics = np.array([case.statistics for case in cases])
    domain = fit_domain(statistics, reach=section.reach) if "domain" in parts else None
    if domain is not None:
        rule, fitted = replace(rule, domain=domain), [*fitted, "domain"]
    return LocalRule(rule=rule, fitted=(*fitted, *(["smallest_part"] if fits_outline else ())))


def _malignancy(
    before: DecisionRule | None, cases: Sequence[CalibrationCase], *, outline: OutlineRule, coverage: float
) -> Question | None:
    lesions = known_lesions(cases, outline=outline)
    inputs = lesions.network[:, None]
    if before is not None and before.descriptors is not None:
        measured = [bounded_log_odds(before.descriptors.log_odds(values)) for values in lesions.measured]
        inputs = np.column_stack([inputs, measured])
    return question_of_malignancy(inputs, lesions, coverage=coverage)


def answers_by(rule: DecisionRule, cases: Sequence[CalibrationCase]) -> list[Answer]:
    return [
        rule.answer(
            case.probabilities,
            peak=case.peak,
            statistics=case.statistics,
            lesion=case.lesion(rule.outline),
        )
        for case in cases
    ]


def held_out_answers(before: DecisionRule | None, cases: Sequence[CalibrationCase]) -> HeldOutAnswers:
    """To every case the answer of a rule that was fitted without its fifth of the patients. Raises `InputError`."""
    fifths = fifths_of_patients(cases)
    learnt = [[case for case, of in zip(cases, fifths, strict=True) if of != fifth] for fifth in range(FOLDS)]
    each = [set(fit_local_rule(before, own).fitted) for own in learnt]
    parts = tuple(part for part in PARTS if all(part in own for own in each))
    found: dict[int, Answer] = {}
    for fifth, own in enumerate(learnt):
        rule = fit_local_rule(before, own, parts=parts).rule
        left_out = np.flatnonzero(fifths == fifth).tolist()
        found |= dict(zip(left_out, answers_by(rule, [cases[place] for place in left_out]), strict=True))
    return HeldOutAnswers(answers=[found[place] for place in range(len(cases))], parts=parts)


def fifths_of_patients(cases: Sequence[CalibrationCase], *, seed: int = 0) -> NDArray[np.int64]:
    """The fifth of each case, 0 to `FOLDS` - 1: whole patients, those of each class dealt out in turn.

    A patient with lesions of both classes counts as malignant.
    """
    labels: dict[str, set[str | None]] = {}
    for case in cases:
        labels.setdefault(case.group, set()).add(case.label)
    order = (MALIGNANT, BENIGN, NORMAL)
    kinds = {group: next((name for name in order if name in own), "") for group, own in labels.items()}
    shuffled = np.random.default_rng(seed).permutation(sorted(labels))
    dealt: Counter[str] = Counter()
    part_of = {}
    for group in map(str, shuffled):
        part_of[group] = dealt[kinds[group]] % FOLDS
        dealt[kinds[group]] += 1
    return np.array([part_of[case.group] for case in cases], np.int64)
