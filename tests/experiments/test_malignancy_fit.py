"""Descriptors are looked at where they tell something that the network does not."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.experiments import descriptor_fit, malignancy_fit
from bustle.experiments.malignancy_fit import FittedMalignancy, KnownLesions, fit_malignancy
from bustle.inference.descriptor_model import FREE_OF_SPACING


@pytest.fixture(autouse=True)
def _fewer_folds(monkeypatch):
    monkeypatch.setattr(malignancy_fit, "FOLDS", 3)
    monkeypatch.setattr(descriptor_fit, "STRENGTHS", (0.01, 0.1))


def fitted(count: int, *, told: float) -> FittedMalignancy:
    """Lesions whose network knows a half of it; `told` is how much of the rest one descriptor tells."""
    random = np.random.default_rng(0)
    network, rest = random.normal(size=(2, count))
    malignant = network + rest + random.normal(size=count) * 0.3 > 0
    measured = random.normal(size=(count, len(FREE_OF_SPACING)))
    measured[:, 4] += told * rest
    found = fit_malignancy(
        KnownLesions(
            network=network,
            measured=[dict(zip(FREE_OF_SPACING, map(float, row), strict=True)) for row in measured],
            malignant=malignant,
            groups=[str(number // 2) for number in range(count)],
        ),
        coverage=0.9,
    )
    assert found is not None
    return found


def test_descriptors_that_tell_more_are_used_and_the_trial_is_kept():
    found = fitted(150, told=4.0)
    assert found.trial is not None
    assert found.descriptors is not None
    assert len(found.question.weights) == 2
    assert found.trial.with_descriptors.log_loss < found.trial.network.log_loss - found.trial.gain_error
    assert found.trial.with_descriptors.auc > found.trial.network.auc + 0.05
    strongest = max(found.descriptors.terms.items(), key=lambda item: abs(item[1].coefficient))
    assert strongest[0] == FREE_OF_SPACING[4]


def test_descriptors_that_tell_nothing_are_not_used_and_the_trial_says_so():
    found = fitted(150, told=0.0)
    assert found.trial is not None
    assert (found.descriptors, len(found.question.weights)) == (None, 1)
    assert found.trial.gain < found.trial.gain_error
    assert found.trial.cases == 150


def test_too_few_lesions_to_leave_some_out_are_asked_without_descriptors():
    found = fitted(28, told=4.0)
    assert (found.descriptors, found.trial, len(found.question.weights)) == (None, None, 1)
