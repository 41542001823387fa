"""Tests of paired values against SciPy, counting and the numbers of LA-Net's paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bustle.evaluation.paired import bootstrap_p_value, paired_t_test, pooled_t_test


def test_the_paired_t_test_is_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.random(30), rng.random(30) + 0.1
    found = paired_t_test(np.append(second - first, np.nan), groups=np.arange(31))
    expected = stats.ttest_rel(second, first)
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.degrees_of_freedom == 29


def test_groups_of_equal_size_are_tested_by_their_means():
    differences = np.array([0.1, 0.3, -0.2, 0.4, 0.5, 0.1])
    found = paired_t_test(differences, groups=np.array([0, 1, 2, 0, 1, 2]))
    assert found.p == pytest.approx(stats.ttest_1samp([0.25, 0.4, -0.05], 0).pvalue)
    assert found.degrees_of_freedom == 2


def test_groups_of_other_sizes_by_hand():
    found = paired_t_test(np.array([1.0, 2.0, 3.0, 6.0]), groups=np.array([7, 7, 7, 9]))
    # mean 3; the sums of the residuals are -3 and 3, so the variance is 2 / 1 * 18 / 16
    assert found.t == pytest.approx(3 / 1.5)
    assert found.degrees_of_freedom == 1


def test_copies_of_the_cases_of_a_patient_add_no_certainty():
    differences = np.random.default_rng(0).normal(0.1, 0.3, size=12)
    once = paired_t_test(differences, groups=np.arange(12))
    copied = paired_t_test(np.tile(differences, 5), groups=np.tile(np.arange(12), 5))
    assert copied.p == pytest.approx(once.p)


@pytest.mark.parametrize(
    ("differences", "p"), [([0.0, 0.0, 0.0], 1.0), ([0.5, 0.5], None), ([0.3], None), ([], None)]
)
def test_a_paired_t_test_without_spread(differences, p):
    assert paired_t_test(np.array(differences), groups=np.arange(len(differences))).p == p


def test_the_bootstraps_p_value_counts_resamples():
    assert bootstrap_p_value(np.array([-1.0, 2.0, 3.0, 4.0, np.nan])) == pytest.approx(2 * 2 / 5)
    assert bootstrap_p_value(np.full(2000, 0.5)) == pytest.approx(2 / 2001)
    assert bootstrap_p_value(np.zeros(10)) == 1.0
    assert bootstrap_p_value(np.array([np.nan])) is None


def test_i11_the_pooled_t_test_of_la_net():
    without, runs = [0.405, 0.423, 0.407], [0.438, 0.432, 0.445]
    found = pooled_t_test(without, runs, higher_is_better=True)
    assert found.p == pytest.approx(0.00871, abs=5e-6)
    assert found.degrees_of_freedom == 4
    assert pooled_t_test(runs, without, higher_is_better=False).p == pytest.approx(found.p)
    assert pooled_t_test(without, runs, higher_is_better=False).p == pytest.approx(1 - found.p)


def test_the_pooled_t_test_needs_two_values_and_some_spread():
    assert pooled_t_test([0.5], [0.4, 0.6], higher_is_better=True) is None
    assert pooled_t_test([0.5, 0.5], [0.6, 0.6], higher_is_better=True).p is None
