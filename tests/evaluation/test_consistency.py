"""Cases whose class and outline contradict each other, counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bustle.core.config import to_mapping
from bustle.core.recipe import load_protocol
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.figures import Estimate
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.statistics import GroupResamples
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise

TWO = ("benign", "malignant")
THREE = (*TWO, "normal")
MASK = np.zeros((20, 20), bool)
MASK[5:9, 5:9] = True
SAID = (  # truth, decision, whether a lesion is drawn; two images of every patient
    ("normal", "normal", False),
    ("normal", "normal", True),
    ("benign", "normal", False),
    ("normal", "normal", False),
    ("normal", "benign", True),
    ("benign", "benign", True),
    ("benign", "benign", False),
    ("malignant", "malignant", True),
    ("malignant", "benign", True),
    ("malignant", "malignant", False),
    (None, "malignant", True),
    ("benign", "normal", True),
)


def made_up_rows(said=SAID, *, classes=THREE):
    rows = []
    for index, (label, decision, drawn) in enumerate(said):
        truth = TruthCase(
            case_id=f"made/{index}",
            source="made",
            patient_id=str(index // 2),
            label=label,
            mask=MASK & (label != "normal"),
        )
        probabilities = None if decision is None else {name: 0.8 if name == decision else 0.1 for name in classes}
        mask = None if drawn is None else MASK & drawn
        predicted = PredictedCase(
            case_id=truth.case_id, mask=mask, class_probabilities=probabilities, decision=decision
        )
        rows.append(score_case(truth, predicted, protocol=load_protocol("strict"), classes=classes))
    return with_size_strata(rows)


def consistency_of(rows, *, classes=THREE, resamples=300):
    scoring = Scoring(protocol=load_protocol("strict"), classes=classes, resamples=resamples)
    return summarise(rows, scoring=scoring, track="strict").consistency


def test_both_contradictions_are_counted_among_the_cases_that_they_concern():
    found = consistency_of(made_up_rows())
    first, second = found["normal_but_drawn"], found["lesion_but_not_drawn"]
    assert (first.count, first.n, first.mean) == (2, 5, pytest.approx(2 / 5))
    assert (second.count, second.n, second.mean) == (2, 7, pytest.approx(2 / 7))
    assert {entry.unit for entry in found.values()} == {"fraction"}
    json.dumps(to_mapping(found), allow_nan=False)


def test_the_intervals_resample_whole_patients():
    rows = made_up_rows(3 * SAID)
    weights = GroupResamples.draw([row.group_id for row in rows], resamples=300, seed=0).weights
    assert len(set(map(tuple, weights[:, ::2] - weights[:, 1::2]))) == 1  # both images of a patient come together
    normal = np.array([row.decision == "normal" for row in rows])
    drawn = np.array([not row.prediction_empty for row in rows])
    rates = [w[normal & drawn].sum() / w[normal].sum() for w in weights if w[normal].any()]
    assert consistency_of(rows)["normal_but_drawn"].ci95 == pytest.approx(list(np.percentile(rates, [2.5, 97.5])))


def test_without_a_normal_class_only_the_second_is_asked_and_normals_do_not_count():
    said = [entry for entry in SAID if entry[1] != "normal"]
    found = consistency_of(made_up_rows(said, classes=TWO), classes=TWO)
    assert found["normal_but_drawn"] == Estimate(mean=None, sd=None, ci95=None, n=0, unit="fraction", count=0)
    assert (found["lesion_but_not_drawn"].count, found["lesion_but_not_drawn"].n) == (2, 6)


@pytest.mark.parametrize("said", [[("benign", None, True)], [("benign", "benign", None)]])
def test_a_method_without_classes_or_without_masks_has_none(said):
    assert consistency_of(made_up_rows(said)) is None


@pytest.mark.parametrize("protocol", ["ctg", "abus"])
def test_folds_are_averaged_or_pooled_like_the_other_rates(protocol):
    rows = made_up_rows()
    scoring = Scoring(protocol=load_protocol(protocol), classes=THREE, resamples=20)
    first, second, both = (summarise(part, scoring=scoring, track="published") for part in (rows[:6], rows[6:], rows))
    found = summarise_folds([first, second], pooled=both, protocol=load_protocol(protocol))
    found = found.consistency["normal_but_drawn"]
    assert found.folds == (pytest.approx(1 / 4), 1.0)
    assert found.mean == pytest.approx(2 / 5 if protocol == "abus" else (1 / 4 + 1) / 2)
    assert found.n == 5
