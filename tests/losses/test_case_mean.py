from __future__ import annotations

import torch

from bustle.losses.case_mean import mean_over

VALUES = torch.tensor([1.0, 10.0, 4.0, 100.0])


def test_it_is_the_mean_of_the_flagged():
    assert mean_over(VALUES, torch.tensor([True, False, True, False])).item() == 2.5


def test_a_weight_multiplies_but_leaves_the_number_of_cases():
    weights = torch.tensor([1.0, 9.0, 0.25, 9.0])
    assert mean_over(VALUES, torch.tensor([True, False, True, False]), weights).item() == 1.0


def test_a_value_that_is_not_flagged_may_be_anything():
    values = torch.tensor([3.0, torch.nan, torch.inf])
    assert mean_over(values, torch.tensor([True, False, False]), torch.ones(3)).item() == 3.0


def test_without_any_case_it_is_a_zero_with_a_gradient():
    values = VALUES.clone().requires_grad_()
    mean = mean_over(values, torch.zeros(4, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert values.grad is not None
    assert values.grad.abs().max() == 0
