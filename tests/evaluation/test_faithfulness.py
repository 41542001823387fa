from __future__ import annotations

import numpy as np
import pytest

from bustle.evaluation.faithfulness import MethodCurves, explanation_figures

FRACTIONS = np.linspace(0, 1, 3)


def test_areas_are_counted_against_the_same_case_s_random_order():
    deletion = np.array([[1.0, 0.2, 0.0], [0.8, 0.4, 0.0]] * 4)
    insertion = np.array([[0.0, 0.9, 1.0], [0.0, 0.5, 0.8]] * 4)
    chance = np.array([[1.0, 0.5, 0.0], [0.8, 0.4, 0.0]] * 4)
    figures = explanation_figures(
        {"cam": MethodCurves(deletion, insertion, [0.1, -0.1] * 4)},
        random=MethodCurves(chance, chance[:, ::-1], None),
        fractions=FRACTIONS,
        groups=[str(number) for number in range(8)],
        resamples=200,
    )
    cam = figures.methods["cam"]
    assert figures.n_cases == figures.n_groups == 8
    assert cam.deletion == pytest.approx((0.9, 0.3, 0.0))
    assert figures.random_insertion == pytest.approx((0.0, 0.45, 0.9))
    # By hand, trapezoids of width 1/2: (1 + 2 x 0.2 + 0) / 4 = 0.35 and (0.8 + 0.8) / 4 = 0.4.
    assert cam.estimates["deletion"].mean == pytest.approx((0.35 + 0.4) / 2)
    assert cam.estimates["deletion_less_random"].mean == pytest.approx((0.35 - 0.5 + 0.4 - 0.4) / 2)
    low, high = cam.estimates["deletion_less_random"].ci95
    assert -0.15 <= low < high <= 0
    assert cam.estimates["likeness_to_shuffled"].mean == pytest.approx(0, abs=1e-12)


def test_without_shuffled_weights_there_is_no_likeness():
    curves = MethodCurves(np.ones((2, 3)), np.ones((2, 3)), None)
    figures = explanation_figures(
        {"cam": curves}, random=curves, fractions=FRACTIONS, groups=["a", "b"], resamples=10
    )
    likeness = figures.methods["cam"].estimates["likeness_to_shuffled"]
    assert (likeness.mean, likeness.n) == (None, 0)
    assert figures.methods["cam"].estimates["insertion_less_random"].mean == 0
