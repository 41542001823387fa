"""Scored cases for pages: three classes of truth, misses, false positives and wrong decisions."""

from __future__ import annotations

import numpy as np
import pytest
from tests.made_results import MADE_UP

from bustle.core.recipe import load_protocol
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.results import Circumstances, TrackResult
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise

CLASSES = ("benign", "malignant")
CIRCUMSTANCES = Circumstances(
    title="Made-up model",
    model=None,
    warnings=(),
    groups="patient",
    resampled="patients",
    provenance=MADE_UP,
)


def block(top, size):
    mask = np.zeros((48, 64), bool)
    mask[top : top + size, 20 : 20 + size] = True
    return mask


def score_made_up_cases(*, seed=0, count=24, protocol="strict"):
    rng = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        label = ("benign", "malignant", "normal")[index % 3]
        truth = TruthCase(
            case_id=f"made/{index}",
            source="made",
            label=label,
            mask=block(10, 0 if label == "normal" else 5 + index),
            spacing=(0.2, 0.2),
        )
        malignant = float(np.clip(rng.random() * 0.7 + 0.3 * (label == "malignant"), 0, 1))
        drawn = {0: 0, 2: 4}.get(index, 0 if label == "normal" else 5 + index)
        predicted = PredictedCase(
            case_id=truth.case_id,
            mask=block(12, drawn),
            class_probabilities={"benign": 1 - malignant, "malignant": malignant},
            decision="malignant" if malignant > 0.5 else "benign",
        )
        rows.append(score_case(truth, predicted, protocol=load_protocol(protocol), classes=CLASSES))
    return with_size_strata(rows)


def summarise_made_up_cases(rows, *, protocol="strict", track="strict"):
    scoring = Scoring(protocol=load_protocol(protocol), classes=CLASSES, resamples=50)
    return TrackResult.of(summarise(rows, scoring=scoring, track=track), CIRCUMSTANCES)


@pytest.fixture(scope="session")
def made_up_rows():
    return score_made_up_cases


@pytest.fixture(scope="session")
def made_up_metrics():
    return summarise_made_up_cases


@pytest.fixture(scope="session")
def rows():
    return score_made_up_cases()


@pytest.fixture(scope="session")
def metrics(rows):
    return summarise_made_up_cases(rows)
