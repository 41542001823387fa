"""Clustered bootstrap against an explicit loop; t intervals and tests against the papers' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bustle.evaluation.metrics import DETECTION, SEGMENTATION
from bustle.evaluation.statistics import (
    GroupResamples,
    exact_interval,
    mean_over_cases,
    one_sided_pooled_t,
    percentile_interval,
    t95_half_width,
    weighted_means,
)

GROUPS = [f"patient-{index // 3}" for index in range(30)]


def test_whole_groups_are_drawn_as_many_as_there_are():
    weights = GroupResamples.draw(GROUPS, resamples=50, seed=1).weights
    assert weights.shape == (50, 30)
    per_group = weights.reshape(50, 10, 3)
    assert (per_group == per_group[:, :, :1]).all()
    assert (per_group[:, :, 0].sum(axis=1) == 10).all()


def test_the_same_seed_gives_the_same_resamples():
    first, again = (GroupResamples.draw(GROUPS, resamples=5, seed=4).weights for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (GroupResamples.draw(GROUPS, resamples=5, seed=5).weights != first).any()


def test_resamples_without_any_case_are_left_out_and_nothing_is_copied_without_need():
    drawn = GroupResamples.draw(GROUPS, resamples=50, seed=1)
    assert drawn.filled() is drawn.weights
    part = drawn.of([0])
    assert len(part.filled()) == (drawn.weights[:, 0] > 0).sum() < 50


def test_means_equal_explicit_resampling_and_leave_out_missing_values():
    rng = np.random.default_rng(0)
    values = rng.random((30, 4))
    values[rng.random((30, 4)) < 0.2] = np.nan
    weights = GroupResamples.draw(GROUPS, resamples=20, seed=0).weights
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
    weights = GroupResamples.draw([str(index) for index in range(400)], resamples=2000, seed=0).weights
    low, high = percentile_interval(weighted_means(values, weights=weights)[:, 0])
    assert (high - low) / 2 == pytest.approx(t95_half_width(values[:, 0].tolist()), rel=0.08)


def test_clusters_of_copies_widen_the_interval():
    values = np.repeat(np.random.default_rng(2).normal(size=100), 4)[:, None]
    clustered, naive = (
        GroupResamples.draw([str(index // size) for index in range(400)], resamples=500, seed=0).weights
        for size in (4, 1)
    )
    width = [np.ptp(percentile_interval(weighted_means(values, weights=w)[:, 0])) for w in (clustered, naive)]
    assert width[0] > 1.6 * width[1]


def estimate_of(values, groups, metric):
    resamples = GroupResamples.draw(groups, resamples=200, seed=0)
    resampled = weighted_means(np.array(values, float)[:, None], weights=resamples.weights)[:, 0]
    return mean_over_cases(np.array(values, float), groups=resamples.groups, resampled=resampled, metric=metric)


def test_a_share_of_none_or_all_has_the_exact_interval_in_which_a_group_is_one_case():
    metric = DETECTION["fp_rate_on_normals"]
    assert estimate_of([1.0] * 4, list("abcd"), metric).ci95 == pytest.approx((0.3976, 1.0), abs=1e-4)
    assert estimate_of([0.0] * 40, [str(k // 2) for k in range(40)], metric).ci95 == pytest.approx(
        (0, 0.1684), abs=1e-4
    )


def test_a_share_between_is_resampled_where_there_are_groups_enough():
    metric = DETECTION["missed_lesions"]
    values = [0.0, 1.0] * 10
    many, few = (estimate_of(values, [str(k % count) for k in range(20)], metric).ci95 for count in (20, 4))
    resamples = GroupResamples.draw([str(k) for k in range(20)], resamples=200, seed=0)
    expected = percentile_interval(weighted_means(np.array(values)[:, None], weights=resamples.weights)[:, 0])
    assert many == expected
    assert few == pytest.approx(exact_interval(0.5, n=4))


@pytest.mark.parametrize("hits", [0, 1, 7, 10])
def test_the_exact_interval_is_scipys(hits):
    expected = stats.binomtest(hits, 10).proportion_ci(0.95, method="exact")
    assert exact_interval(hits / 10, n=10) == pytest.approx((expected.low, expected.high))


def test_no_interval_of_fewer_than_five_groups_or_without_spread():
    dice, values = SEGMENTATION["dice"], np.random.default_rng(0).random(20)
    assert estimate_of(values, [str(k % 4) for k in range(20)], dice).ci95 is None
    low, high = estimate_of(values, [str(k % 5) for k in range(20)], dice).ci95
    assert low < values.mean() < high
    assert estimate_of([0.77] * 20, [str(k) for k in range(20)], dice).ci95 is None


def test_the_groups_that_count_are_those_of_the_cases_with_a_value():
    values = np.append(np.random.default_rng(0).random(10), [np.nan] * 10)
    groups = [f"scored-{k % 4}" for k in range(10)] + [f"other-{k}" for k in range(10)]
    assert estimate_of(values, groups, SEGMENTATION["dice"]).ci95 is None


def test_i11_the_interval_and_p_value_of_la_net():
    runs = [0.438, 0.432, 0.445]
    assert t95_half_width(runs) == pytest.approx(0.0162, abs=5e-5)
    without = [0.405, 0.423, 0.407]
    assert one_sided_pooled_t(without, runs) == pytest.approx(0.00871, abs=5e-6)
    assert one_sided_pooled_t(without, runs) == pytest.approx(
        stats.ttest_ind(runs, without, alternative="greater").pvalue
    )
