"""Clustered bootstrap against an explicit loop; t intervals and tests against the papers' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bustle.evaluation.statistics import (
    cluster_weights,
    one_sided_pooled_t,
    percentile_interval,
    t95_half_width,
    weighted_means,
)

GROUPS = [f"patient-{index // 3}" for index in range(30)]


def test_whole_groups_are_drawn_as_many_as_there_are():
    weights = cluster_weights(GROUPS, resamples=50, seed=1)
    assert weights.shape == (50, 30)
    per_group = weights.reshape(50, 10, 3)
    assert (per_group == per_group[:, :, :1]).all()
    assert (per_group[:, :, 0].sum(axis=1) == 10).all()


def test_the_same_seed_gives_the_same_resamples():
    first, again = (cluster_weights(GROUPS, resamples=5, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (cluster_weights(GROUPS, resamples=5, seed=5) != first).any()


def test_means_equal_explicit_resampling_and_leave_out_missing_values():
    rng = np.random.default_rng(0)
    values = rng.random((30, 4))
    values[rng.random((30, 4)) < 0.2] = np.nan
    weights = cluster_weights(GROUPS, resamples=20, seed=0)
    means = weighted_means(values, weights=weights)
    for row, times in enumerate(weights.astype(int)):
        np.testing.assert_allclose(means[row], np.nanmean(np.repeat(values, times, axis=0), axis=0))


def test_a_resample_without_any_value_is_left_out_of_the_interval():
    weights = np.array([[1.0, 0.0], [0.0, 1.0]])
    means = weighted_means(np.array([[0.25], [np.nan]]), weights=weights)
    assert np.isnan(means[1, 0])
    assert percentile_interval(means[:, 0]) == (0.25, 0.25)
    assert percentile_interval(np.array([np.nan])) is None


def test_the_interval_covers_a_mean_of_independent_cases_like_the_t_interval():
    values = np.random.default_rng(2).normal(size=(400, 1))
    weights = cluster_weights([str(index) for index in range(400)], resamples=2000, seed=0)
    low, high = percentile_interval(weighted_means(values, weights=weights)[:, 0])
    assert (high - low) / 2 == pytest.approx(t95_half_width(values[:, 0].tolist()), rel=0.08)


def test_clusters_of_copies_widen_the_interval():
    values = np.repeat(np.random.default_rng(2).normal(size=100), 4)[:, None]
    clustered = cluster_weights([str(index // 4) for index in range(400)], resamples=500, seed=0)
    naive = cluster_weights([str(index) for index in range(400)], resamples=500, seed=0)
    width = [np.ptp(percentile_interval(weighted_means(values, weights=w)[:, 0])) for w in (clustered, naive)]
    assert width[0] > 1.6 * width[1]


def test_i11_the_interval_and_p_value_of_la_net():
    runs = [0.438, 0.432, 0.445]
    assert t95_half_width(runs) == pytest.approx(0.0162, abs=5e-5)
    without = [0.405, 0.423, 0.407]
    assert one_sided_pooled_t(without, runs) == pytest.approx(0.00871, abs=5e-6)
    assert one_sided_pooled_t(without, runs) == pytest.approx(
        stats.ttest_ind(runs, without, alternative="greater").pvalue
    )
