"""Holm's correction by hand."""

from __future__ import annotations

import pytest

from bustle.evaluation.multiplicity import holm


def test_holm_by_hand():
    # 0.005 x 4, 0.01 x 3, then 0.03 x 2 = 0.06, and 0.04 x 1 does not fall below it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_missing_test_does_not_count_and_nothing_exceeds_one():
    assert holm([0.6, None, 0.7]) == [1.0, None, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
