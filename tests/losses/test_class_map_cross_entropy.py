from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.class_map_cross_entropy import ClassMapCrossEntropy, Options
from bustle.losses.setting import LossSetting

MAPS = MaskMeaning(("background", "benign", "malignant"), "softmax", (1, 2))


def loss(classes: tuple[str, ...] = ("benign", "malignant"), meaning: MaskMeaning = MAPS) -> ClassMapCrossEntropy:
    return ClassMapCrossEntropy(Options(), setting=LossSetting(mask_meaning=meaning, classes=classes))


def squares(count: int) -> torch.Tensor:
    lesion = torch.zeros(count, 8, 8)
    for case in range(count):
        lesion[case, 1 : 3 + case, 2:6] = 1
    return lesion


def by_numpy(logits: np.ndarray, lesion: np.ndarray, channels: list[int | None]) -> list[float]:
    """Per case, with the true channel of the lesion; None asks for either of the two."""
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    values = []
    for p, inside, channel in zip(probability, lesion > 0, channels, strict=True):
        lesion_probability = p[1] + p[2] if channel is None else p[channel]
        values.append(-np.log(np.where(inside, lesion_probability, p[0])).mean())
    return values


def test_the_class_is_painted_inside_the_lesion(make_batch):
    torch.manual_seed(0)
    logits = torch.randn(3, 3, 8, 8)
    wanted = by_numpy(logits.numpy(), squares(3).numpy(), [1, 2, None])
    found = loss()(MultiTaskOutput(logits, None), make_batch(squares(3), [0, 1, -1]))
    assert found.item() == pytest.approx(np.mean(wanted))
    masked = loss()(MultiTaskOutput(logits, None), make_batch(squares(3), [0, 1, 1], [True, False, False]))
    assert masked.item() == pytest.approx(wanted[0])


def test_channels_are_found_by_name(make_batch):
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 8, 8)
    wanted = by_numpy(logits.numpy(), squares(2).numpy(), [2, None])
    classes = ("malignant", "normal", "benign")  # a lesion in a normal case has no map of its own
    found = loss(classes)(MultiTaskOutput(logits, None), make_batch(squares(2), [0, 1]))
    assert found.item() == pytest.approx(np.mean(wanted))


def test_without_a_lesion_all_is_background(make_batch):
    logits = torch.zeros(2, 3, 8, 8)
    logits[:, 0] = 30
    batch = make_batch(torch.zeros(2, 8, 8), [0, 1])
    assert loss()(MultiTaskOutput(logits, None), batch).item() == pytest.approx(0, abs=1e-6)


def test_other_maps_are_refused():
    with pytest.raises(InputError, match="needs a map for a class of the recipe; the maps are background, benign"):
        loss(("normal", "lesion"))
    with pytest.raises(InputError, match="in another order than the network's maps"):
        loss(("malignant", "benign"))
    with pytest.raises(InputError, match="needs a softmax"):
        loss(meaning=MaskMeaning(("lesion",), "sigmoid", (0,)))
