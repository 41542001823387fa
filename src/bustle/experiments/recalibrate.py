"""`bustle recalibrate`: a package whose answers are fitted to one site's own cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bustle.core.answer import Answer, Decision
from bustle.core.errors import InputError
from bustle.core.progress import announce
from bustle.core.recipe import load_protocol
from bustle.core.types import Case, Collection
from bustle.data.class_groups import in_class_groups
from bustle.data.relations.seen_images import sketches_of
from bustle.evaluation.answers import summarise_answers
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.figures import AnswerFigures, ShortFigure
from bustle.evaluation.statistics import GroupResamples, group_interval, weighted_means
from bustle.evaluation.summary import Scoring
from bustle.experiments.calibration_case import CalibrationCase, calibration_cases
from bustle.experiments.local_rule import (
    FOLDS,
    answers_by,
    check_enough,
    fit_local_rule,
    held_out_answers,
)
from bustle.experiments.readable_cases import readable_cases
from bustle.experiments.reader_findings import tell_findings
from bustle.experiments.resampling_groups import resampling_groups
from bustle.experiments.run_folder import data_fingerprints
from bustle.experiments.scored_method import RESAMPLES
from bustle.experiments.training_overlap import cases_of_training
from bustle.export.package_folder import refuse_existing
from bustle.export.recalibrated_package import write_recalibrated
from bustle.inference.decision import BENIGN, MALIGNANT, NORMAL
from bustle.inference.decision_file import rule_digest
from bustle.inference.package import HeldOutFigure, LocalFit, Package, PackageRecord, is_package
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import named_model

OF_CLASSES = ("auc", "sensitivity", "specificity", "brier", "ece_equal_mass_10")
OF_ANSWERS = ("left_open", "decided_wrongly", "coverage_lesions", "coverage_normals", "coverage_classes")


def recalibrate(model: Path, *, load_data: Callable[[], Collection], out: Path) -> PackageRecord:
    """Write the package `out`: that of `model` with a rule fitted on the data, and return its record.

    Cases that the model was trained or chosen on are left out, which is told. Raises `InputError` for what is no
    package, or one that does not both outline and classify images; for too few patients; for an `out` that exists.
    """
    model = named_model(model)
    if not model.exists() or not is_package(model):
        raise InputError(
            "is no model package", remedy="export the run first: bustle export RUN --out PACKAGE", path=model
        )
    refuse_existing(out)
    package, predictor = Package(model), Predictor.open(model)
    collection = load_data()
    tell_findings(collection)
    cases = _unseen(package, in_class_groups(collection.cases, predictor.data.class_groups))
    readable_cases(cases, skip_damaged=None, check=lambda sample: predictor.check(sample.geometry))
    groups = resampling_groups(cases)
    for warning in groups.warnings:
        announce(f"bustle: warning: {warning}")
    known = list(calibration_cases(predictor, cases, groups=groups.group_of))
    if cases and not known:
        raise InputError(
            "does not both outline and classify, so that its answers have no rule to fit",
            remedy="give another package",
            path=model,
        )
    check_enough(known)
    record = _recalibrated(package.record, cases=cases, known=known)
    write_recalibrated(package, out, record=record)
    return record


def _unseen(package: Package, cases: Sequence[Case]) -> list[Case]:
    """Those that the networks were not trained or chosen on: of the others they are surer than they may be."""
    seen = cases_of_training(package.path, cases)
    if seen:
        announce(
            f"bustle: warning: {len(seen)} of {len(cases)} cases, or copies of them, trained or chose this model "
            f"({', '.join(sorted(seen)[:3])}{', …' if len(seen) > 3 else ''}); they are left out"
        )
    return [case for case in cases if case.case_id not in seen]


def _recalibrated(record: PackageRecord, *, cases: Sequence[Case], known: Sequence[CalibrationCase]) -> PackageRecord:
    before = record.decision
    held_out = held_out_answers(before, known)
    fitted = fit_local_rule(before, known, parts=held_out.parts)
    classes = record.preprocessing.classes
    old = _most_probable(known) if before is None else answers_by(before, known)
    new = held_out.answers
    labels = [case.label for case in known]
    local = LocalFit(
        rule_before=None if before is None else rule_digest(before),
        data=data_fingerprints(cases),
        patients=len({case.group for case in known}),
        malignant=labels.count(MALIGNANT),
        benign=labels.count(BENIGN),
        normal=labels.count(NORMAL),
        fitted=fitted.fitted,
        folds=FOLDS,
        figures=tuple(_figures(_scored(old, known, classes), _scored(new, known, classes))),
        brier_gain=_brier_gain(old, new, known),
    )
    sketches = {(each.content, each.sketch): each for each in (*record.seen_images, *sketches_of(cases).values())}
    return replace(
        record,
        decision=fitted.rule,
        local_fit=local,
        seen_images=tuple(sketches[key] for key in sorted(sketches)),
    )


def _most_probable(known: Sequence[CalibrationCase]) -> list[Answer]:
    """What a package without a rule says: the most probable class and no other."""
    found = []
    for case in known:
        name = max(case.probabilities, key=case.probabilities.__getitem__)
        word: Decision = "no lesion" if name == NORMAL else "malignant" if name == MALIGNANT else "benign"
        found.append(Answer(decision=word, probabilities=case.probabilities, possible=(name,)))
    return found


def _scored(answers: Sequence[Answer], known: Sequence[CalibrationCase], classes: Sequence[str]) -> AnswerFigures:
    rows = [
        CaseRow(
            case_id=str(number),
            group_id=case.group,
            source="local",
            label=case.label,
            probabilities={name: answer.probabilities.get(name) for name in classes},
            decision=answer.decision,
            possible="|".join(answer.possible),
            truth_empty=None if case.has_lesion is None else not case.has_lesion,
        )
        for number, (answer, case) in enumerate(zip(answers, known, strict=True))
    ]
    scoring = Scoring(protocol=load_protocol("strict"), classes=classes, resamples=RESAMPLES)
    found = summarise_answers(rows, scoring=scoring)
    assert found is not None, "there are cases"
    return found


def _figures(before: AnswerFigures, after: AnswerFigures) -> list[HeldOutFigure]:
    pairs = []
    if before.classification is not None and after.classification is not None:
        old, new = before.classification.estimates, after.classification.estimates
        pairs += [(name, old[name], new[name]) for name in OF_CLASSES]
    pairs += [(name, before.estimates[name], after.estimates[name]) for name in OF_ANSWERS]
    return [
        HeldOutFigure(metric=name, before=ShortFigure.of(old), after=ShortFigure.of(new))
        for name, old, new in pairs
        if new.n
    ]


def _brier_gain(old: Sequence[Answer], new: Sequence[Answer], known: Sequence[CalibrationCase]) -> ShortFigure:
    """Over the cases that both rules give a probability of malignant, by whole patients."""
    pairs = [
        (case, *(answer.probabilities[MALIGNANT] for answer in both))
        for *both, case in zip(old, new, known, strict=True)
        if case.label is not None and all(answer.probabilities for answer in both)
    ]
    if not pairs:
        return ShortFigure(value=None, ci95=None, n=0)
    truth = np.array([case.label == MALIGNANT for case, *_ in pairs], np.float64)
    was, now = np.array([both for _, *both in pairs]).T
    gains = (was - truth) ** 2 - (now - truth) ** 2
    resamples = GroupResamples.draw([case.group for case, *_ in pairs], resamples=RESAMPLES, seed=0)
    resampled = weighted_means(gains[:, None], weights=resamples.weights)[:, 0]
    bounds = group_interval(resampled, groups=resamples.groups)
    return ShortFigure(value=float(gains.mean()), ci95=bounds, n=len(pairs))
