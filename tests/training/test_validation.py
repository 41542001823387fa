from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.types import Batch
from bustle.training.validation import ValidationTally, area_under_roc, dice_per_case

REGIONS = MaskMeaning(channels=("tumour", "peritumoral", "background"), activation="softmax", lesion_channels=(0,))


def batch(labels: list[int], masks: torch.Tensor, has_mask: list[bool]) -> Batch:
    count = len(labels)
    label = torch.tensor(labels)
    return Batch(
        case_ids=[str(i) for i in range(count)],
        image=torch.zeros(count, 1, 4, 4),
        lesion_mask=masks,
        gland_mask=torch.zeros(count, 4, 4),
        label=label,
        has_mask=torch.tensor(has_mask),
        has_gland=torch.zeros(count, dtype=torch.bool),
        has_box=torch.zeros(count, dtype=torch.bool),
        has_label=label >= 0,
    )


def test_dice_per_case_by_hand() -> None:
    truth = torch.zeros(3, 4, 4, dtype=torch.bool)
    predicted = torch.zeros(3, 4, 4, dtype=torch.bool)
    truth[0, :2] = True  # 8 pixels
    predicted[0, 1:3] = True  # 8 pixels, 4 of them in common
    truth[1, 0, 0] = True  # missed
    predicted[2] = True  # nothing is there
    found = dice_per_case(predicted, truth)
    assert found[:2].tolist() == [0.5, 0.0]
    assert torch.isnan(found[2])


def test_area_under_roc_equals_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 8, 60) / 8
    truth = random.random(60) < 0.4
    assert area_under_roc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert area_under_roc(scores, np.zeros(60, bool)) is None


def test_only_annotated_cases_count() -> None:
    masks = torch.zeros(4, 4, 4, dtype=torch.long)
    masks[:3, 0] = 1
    mask_logits = torch.zeros(4, 3, 4, 4)
    mask_logits[:, 2] = 1.0
    mask_logits[0, 0, 0] = 2.0  # the first case is drawn exactly, the second missed, the third has no mask
    class_logits = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 9.0], [0.0, 2.0]])
    tally = ValidationTally(meaning=REGIONS, classes=("benign", "malignant"))
    output = MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)
    tally.add(output, batch([1, 0, -1, 1], masks, [True, True, False, True]), loss=torch.tensor(0.5))
    scores = tally.scores()
    assert scores.dice == pytest.approx(0.5)
    assert scores.auc == 1.0
    assert scores.accuracy == 1.0
    assert scores.clear == 1.0, "the fourth has no lesion and nothing is drawn"
    assert scores.loss == pytest.approx(0.5)


def test_losses_are_weighted_by_batch_size() -> None:
    tally = ValidationTally(meaning=None, classes=("benign", "malignant"))
    nothing = MultiTaskOutput(mask_logits=None, class_logits=None)
    tally.add(nothing, batch([0] * 3, torch.zeros(3, 4, 4), [False] * 3), loss=torch.tensor(1.0))
    tally.add(nothing, batch([0], torch.zeros(1, 4, 4), [False]), loss=torch.tensor(5.0))
    assert tally.scores().loss == pytest.approx(2.0)
    assert tally.scores().dice is tally.scores().auc is tally.scores().accuracy is tally.scores().clear is None


def test_what_is_drawn_where_there_is_no_lesion_is_not_clear() -> None:
    masks = torch.zeros(4, 4, 4, dtype=torch.long)
    masks[0, 0] = 1
    drawn = torch.zeros(4, 3, 4, 4)
    drawn[:, 2] = 1.0
    drawn[:2, 0, 3, 3] = 2.0  # one pixel, beside the lesion and where there is none; the fourth is not annotated
    tally = ValidationTally(meaning=REGIONS, classes=("benign", "malignant"))
    tally.add(
        MultiTaskOutput(mask_logits=drawn, class_logits=None),
        batch([0, 0, 0, 0], masks, [True, True, True, False]),
        loss=torch.tensor(0.0),
    )
    assert tally.scores().clear == pytest.approx(1 / 2)
