from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from scipy.special import log_softmax

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.losses.region_cross_entropy import Options, RegionCrossEntropy
from bustle.losses.setting import LossSetting

THREE = MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,))
TWO = MaskMeaning(("tumour", "background"), "softmax", (0,))


def lesions() -> torch.Tensor:
    masks = torch.zeros(3, 40, 48)
    masks[0, 10:20, 12:30] = 1
    masks[0, 25:30, 5:9] = 2  # a second lesion of the instance map
    masks[1, 0:6, 0:6] = 1
    return masks


def reference(logits: np.ndarray, masks: np.ndarray, *, channels: tuple[str, ...], width: float) -> list[float]:
    losses = []
    for case_logits, mask in zip(logits, masks > 0, strict=True):
        distance = distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
        logs = log_softmax(case_logits.astype(np.float64), axis=0)
        total = 0.0
        for y, x in np.ndindex(mask.shape):
            region = "tumour" if mask[y, x] else "peritumoral" if distance[y, x] <= width else "background"
            total -= logs[channels.index(region if region in channels else "background"), y, x]
        losses.append(total / mask.size)
    return losses


@pytest.mark.parametrize("meaning", [THREE, TWO, MaskMeaning(("background", "tumour"), "softmax", (1,))])
def test_it_is_the_cross_entropy_of_the_regions(meaning: MaskMeaning, make_batch):
    torch.manual_seed(0)
    logits = 3 * torch.randn(3, len(meaning.channels), 40, 48)
    masks = lesions()
    loss = RegionCrossEntropy(Options(ring_width=6), setting=LossSetting(mask_meaning=meaning))
    value = loss(MultiTaskOutput(logits, None), make_batch(masks, [0, 1, 0]))
    expected = reference(logits.numpy(), masks.numpy(), channels=meaning.channels, width=6)
    assert value.item() == pytest.approx(np.mean(expected))


def test_cases_without_a_mask_do_not_count(make_batch):
    logits, masks = torch.randn(3, 3, 40, 48), lesions()
    loss = RegionCrossEntropy(Options(ring_width=6), setting=LossSetting(mask_meaning=THREE))
    value = loss(MultiTaskOutput(logits, None), make_batch(masks, [0, 1, 0], [True, False, True]))
    expected = reference(logits.numpy(), masks.numpy(), channels=THREE.channels, width=6)
    assert value.item() == pytest.approx((expected[0] + expected[2]) / 2)


def test_it_needs_region_channels():
    with pytest.raises(InputError, match="it needs tumour and background"):
        RegionCrossEntropy(Options(), setting=LossSetting(mask_meaning=MaskMeaning(("lesion",), "sigmoid", (0,))))
    with pytest.raises(InputError, match=r"mask channels \(none\)"):
        RegionCrossEntropy(Options(), setting=LossSetting())
