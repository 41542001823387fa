"""One map per class of a volume."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models.baselines.qu_2019_3d import SPEC, Config, mask_meaning
from bustle.models.description import describe


def test_the_class_is_the_mean_probability_within_the_lesion():
    torch.manual_seed(0)
    network = SPEC.build(SPEC.tiny, in_channels=1, class_count=2).eval()
    with torch.no_grad():
        output = network(torch.randn(2, 1, 32, 33, 32))
    logits = output.mask_logits.numpy().astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    lesion = 1 - p[:, :1]
    expected = (lesion * p[:, 1:]).sum(axis=(2, 3, 4)) / lesion.sum(axis=(2, 3, 4))
    np.testing.assert_allclose(output.class_logits.exp(), expected)


def test_the_lesion_is_whatever_has_a_class():
    meaning = mask_meaning(Config())
    assert (meaning.channels, meaning.lesion_channels) == (("background", "benign", "malignant"), (1, 2))


def test_other_classes_are_read_by_a_linear_layer():
    network = SPEC.build(SPEC.tiny, in_channels=1, class_count=3)
    assert network.class_head.weight.shape == (3, 3)
    assert network(torch.randn(2, 1, 32, 32, 32)).class_logits.shape == (2, 3)


def test_it_has_one_channel_more_than_the_v_net():
    assert describe(load_recipe("qu_2019_3d")).params == 14_700_146 + 33


@pytest.mark.parametrize("classes", [["benign"], ["benign", "benign"], ["background", "benign"]])
def test_impossible_settings_are_told(classes: list[str]):
    with pytest.raises(InputError, match="lesion_classes must"):
        from_mapping(Config, {"lesion_classes": classes}, where="model.config")
