"""What is particular to UNeXt: its published size, and tokens that move."""

from __future__ import annotations

import numpy as np
import torch

from bustle.core.recipe import load_recipe
from bustle.models.description import describe
from bustle.models.papers.unext import SHIFTS, TokenisedMlp, shifted


def test_the_count_is_the_published_one():
    description = describe(load_recipe("unext"))
    assert round(description.params / 1e6, 2) == 1.47
    assert description.task == "seg"


def test_shifts_against_numpy():
    tokens = torch.randn(2, 10, 5, 7)
    for axis in (2, 3):
        expected = np.zeros(tokens.shape)
        for group, shift in enumerate(SHIFTS):
            part = slice(2 * group, 2 * group + 2)
            moved = np.roll(tokens[:, part].numpy(), shift, axis=axis)
            swept_in = [slice(None)] * 4
            swept_in[axis] = slice(0, shift) if shift > 0 else slice(moved.shape[axis] + shift, None)
            if shift:
                moved[tuple(swept_in)] = 0
            expected[:, part] = moved
        assert np.array_equal(shifted(tokens, axis=axis).numpy(), expected)


def test_a_block_sees_two_tokens_to_each_side_and_the_convolutions_reach():
    block = TokenisedMlp(10).eval()
    tokens = torch.randn(1, 10, 15, 15)
    changed = tokens.clone()
    changed[0, :, 7, 7] += torch.randn(10)  # not a constant, which the norm would take away
    with torch.no_grad():
        difference = (block(tokens) - block(changed)).abs().amax(dim=1)[0] > 1e-7
    rows, columns = difference.nonzero(as_tuple=True)
    assert (rows.min().item(), rows.max().item()) == (4, 10)  # one by the convolution, two by the shift
    assert (columns.min().item(), columns.max().item()) == (4, 10)
