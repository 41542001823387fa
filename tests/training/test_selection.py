from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.training.selection import Selection, monitor_weights
from bustle.training.validation import ValidationScores


def scores(
    dice: float | None, auc: float | None = None, loss: float = 1.0, accuracy: float | None = None
) -> ValidationScores:
    return ValidationScores(loss=loss, dice=dice, auc=auc, accuracy=accuracy, clear=None)


def test_first_best_epoch_is_kept_and_patience_ends_the_training() -> None:
    selection = Selection("dice", patience=2)
    kept = [selection.offer(scores(value)) for value in (0.3, 0.6, 0.6)]
    assert kept == [True, True, False]
    assert not selection.exhausted
    assert not selection.offer(scores(0.5))
    assert selection.exhausted
    assert selection.best_epoch == 2


def test_lower_loss_is_better() -> None:
    selection = Selection("loss", patience=None)
    assert [selection.offer(scores(None, loss=value)) for value in (2.0, 1.0, 1.5)] == [True, True, False]


def test_score_is_the_mean_of_what_is_defined() -> None:
    weights = monitor_weights("score")
    assert scores(0.6, 0.8).weighted_mean(weights) == pytest.approx(0.7)
    assert scores(0.6).weighted_mean(weights) == 0.6
    assert scores(None).weighted_mean(weights) is None


def test_a_mapping_is_a_weighted_mean() -> None:
    selection = Selection({"dice": 0.7, "accuracy": 0.3}, patience=None)
    offered = [scores(0.5, accuracy=0.9), scores(0.6, accuracy=0.6), scores(0.5, accuracy=0.91)]
    assert [selection.offer(each) for each in offered] == [True, False, True]  # 0.62, 0.60, 0.623
    assert selection.state.best == pytest.approx(0.7 * 0.5 + 0.3 * 0.91)


def test_accuracy_chooses_by_itself() -> None:
    selection = Selection("accuracy", patience=None)
    assert [selection.offer(scores(None, accuracy=value)) for value in (0.5, 0.7, 0.6)] == [True, True, False]


def test_without_validation_the_last_epoch_is_kept() -> None:
    selection = Selection("score", patience=1)
    assert [selection.offer(None) for _ in range(3)] == [True, True, True]
    assert selection.best_epoch == 3
    assert not selection.exhausted


def test_a_monitor_that_cannot_be_measured_says_so() -> None:
    with pytest.raises(InputError, match="nothing to measure 'auc'"):
        Selection("auc", patience=None).offer(scores(0.5))


def test_state_goes_round() -> None:
    selection = Selection("dice", patience=3)
    for value in (0.1, 0.4, 0.2):
        selection.offer(scores(value))
    other = Selection("dice", patience=3)
    other.state = selection.state
    assert other == selection
