"""Class metrics against scikit-learn, hand-computed confusion matrices and explicit resampling."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from bustle.evaluation.classification import (
    areas_under_roc,
    average_precisions,
    confusion_matrices,
    decision_metrics,
)


def one(count):
    return np.ones((1, count))


def test_i12_the_pooled_confusion_of_the_abus_paper():
    confusion = np.array([[[51 - 20, 20], [119 - 95, 95]]], float)
    found = {
        name: round(float(value[0]), 3)
        for name, value in decision_metrics(confusion, positive=1, average="binary").items()
    }
    assert found["accuracy"] == 0.741
    assert found["sensitivity"] == 0.798
    assert found["precision"] == 0.826
    assert found["fpr"] == 0.392
    assert found["f1"] == 0.812


@pytest.mark.parametrize("classes", [2, 3])
def test_decision_metrics_equal_scikit_learn(classes):
    rng = np.random.default_rng(classes)
    truth = rng.integers(classes, size=200)
    decided = np.where(rng.random(200) < 0.6, truth, rng.integers(classes, size=200))
    confusion = confusion_matrices(truth, decided, class_count=classes, weights=one(200))
    np.testing.assert_array_equal(confusion[0], reference.confusion_matrix(truth, decided))
    binary = decision_metrics(confusion, positive=1, average="binary")
    macro = decision_metrics(confusion, positive=1, average="macro")
    mixed = decision_metrics(confusion, positive=1, average="macro_recall_weighted_precision")
    for name, score in (
        ("precision", reference.precision_score),
        ("sensitivity", reference.recall_score),
        ("f1", reference.f1_score),
    ):
        assert binary[name][0] == pytest.approx(score(truth == 1, decided == 1))
        assert macro[name][0] == pytest.approx(score(truth, decided, average="macro"))
        average = "macro" if name == "sensitivity" else "weighted"
        assert mixed[name][0] == pytest.approx(score(truth, decided, average=average))
    for name, score in (
        ("accuracy", reference.accuracy_score),
        ("balanced_accuracy", reference.balanced_accuracy_score),
        ("mcc", reference.matthews_corrcoef),
    ):
        assert macro[name][0] == pytest.approx(score(truth, decided))


@pytest.mark.parametrize("decimals", [1, 12])
def test_ranking_metrics_equal_scikit_learn_with_ties_and_weights(decimals):
    rng = np.random.default_rng(3)
    positive = rng.random(150) < 0.3
    score = np.round(np.clip(0.3 * positive + rng.random(150) * 0.7, 0, 1), decimals)
    weights = rng.integers(0, 4, size=(5, 150)).astype(float)
    auc = areas_under_roc(positive, score, weights=weights)
    precision = average_precisions(positive, score, weights=weights)
    for row, w in enumerate(weights):
        assert auc[row] == pytest.approx(reference.roc_auc_score(positive, score, sample_weight=w), abs=1e-12)
        expected = reference.average_precision_score(positive, score, sample_weight=w)
        assert precision[row] == pytest.approx(expected, abs=1e-12)


def test_i10_switching_the_positive_class():
    rng = np.random.default_rng(5)
    truth = (rng.random(120) < 0.4).astype(int)
    score = np.clip(0.4 * truth + 0.6 * rng.random(120), 0, 1)
    confusion = confusion_matrices(truth, (score > 0.5).astype(int), class_count=2, weights=one(120))
    benign = decision_metrics(confusion, positive=0, average="binary")
    malignant = decision_metrics(confusion, positive=1, average="binary")
    assert benign["sensitivity"] == pytest.approx(malignant["specificity"])
    assert benign["accuracy"] == malignant["accuracy"]
    assert areas_under_roc(truth == 0, 1 - score, weights=one(120)) == pytest.approx(
        areas_under_roc(truth == 1, score, weights=one(120))
    )
    assert benign["precision"][0] != pytest.approx(malignant["precision"][0])
    assert benign["f1"][0] != pytest.approx(malignant["f1"][0])


def test_a_single_class_has_no_auc():
    assert np.isnan(areas_under_roc(np.ones(4, bool), np.arange(4.0), weights=one(4))[0])
