from __future__ import annotations

import torch

from bustle.core.network import MaskMeaning
from bustle.losses.lesion_map import channels_of, lesion_logit


def test_the_probability_sums_the_lesion_channels():
    logits = torch.tensor([[1.0, 2.0, 0.5]]).log().reshape(1, 3, 1, 1)
    meaning = MaskMeaning(("benign", "malignant", "background"), "softmax", (0, 1))
    torch.testing.assert_close(meaning.lesion_map(logits), torch.tensor([[[3 / 3.5]]]))
    torch.testing.assert_close(lesion_logit(logits, meaning), torch.tensor([[[6.0]]]).log())


def test_the_logit_belongs_to_the_probability():
    logits = torch.randn(2, 3, 5, 6)
    for meaning in (
        MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,)),
        MaskMeaning(("gland", "lesion", "rest"), "sigmoid", (1,)),
    ):
        torch.testing.assert_close(lesion_logit(logits, meaning).sigmoid(), meaning.lesion_map(logits))


def test_half_precision_logits_are_computed_in_full():
    meaning = MaskMeaning(("tumour", "background"), "softmax", (0,))
    assert meaning.lesion_map(torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16)).dtype == torch.float32


def test_channels_chosen_first_in_inference_can_be_trained_on():
    maps = torch.randn(2, 7, 3, requires_grad=True)
    with torch.inference_mode():
        channels_of(maps, (5, 2))
    chosen = channels_of(maps, (5, 2))
    assert torch.equal(chosen, maps[:, [5, 2]])
    (chosen**2).sum().backward()
    assert maps.grad is not None
    assert maps.grad[:, [5, 2]].abs().min() > 0
