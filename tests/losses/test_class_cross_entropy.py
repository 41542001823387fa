from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from bustle.core.errors import InputError
from bustle.core.network import MultiTaskOutput
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
    assert value.item() == pytest.approx(expected)


def test_label_smoothing_moves_probability_to_all_classes_alike(make_batch):
    logits, labels, share = torch.randn(3, 4), [2, 0, -1], 0.1
    value = ClassCrossEntropy(Options(label_smoothing=share), setting=LossSetting())(
        MultiTaskOutput(None, logits), make_batch(torch.zeros(3, 8, 8), labels)
    )
    logs = log_softmax(logits.numpy().astype(np.float64), axis=1)
    targets = np.full((2, 4), share / 4)
    targets[0, 2] += 1 - share
    targets[1, 0] += 1 - share
    assert value.item() == pytest.approx(-(targets * logs[:2]).sum(axis=1).mean())


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_impossible_smoothing_is_refused(share: float):
    with pytest.raises(ValueError, match="label_smoothing must be in"):
        Options(label_smoothing=share)


def test_a_network_without_classes_is_told(make_batch):
    loss = ClassCrossEntropy(Options(), setting=LossSetting())
    with pytest.raises(InputError, match="class_cross_entropy needs classes"):
        loss(MultiTaskOutput(torch.zeros(1, 2, 8, 8), None), make_batch(torch.zeros(1, 8, 8), [0]))
