from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.types import MultiTaskOutput
from bustle.losses.class_cross_entropy import ClassCrossEntropy, Options
from bustle.losses.setting import LossSetting


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_it_is_the_mean_over_labelled_cases(classes: int, make_batch):
    logits = torch.randn(4, classes)
    labels = [1, -1, 0, classes - 1]
    value = ClassCrossEntropy(Options(), setting=LossSetting())(
        MultiTaskOutput(None, logits), make_batch(torch.zeros(4, 8, 8), labels)
    )
    exponentials = np.exp(logits.numpy().astype(np.float64))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    expected = -np.mean([np.log(probabilities[case, labels[case]]) for case in (0, 2, 3)])
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_a_network_without_classes_is_told(make_batch):
    loss = ClassCrossEntropy(Options(), setting=LossSetting())
    with pytest.raises(InputError, match="class_cross_entropy needs classes"):
        loss(MultiTaskOutput(torch.zeros(1, 2, 8, 8), None), make_batch(torch.zeros(1, 8, 8), [0]))
