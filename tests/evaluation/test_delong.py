"""DeLong's test against its definition over all pairs of cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from bustle.evaluation.delong import delong_test, structural_components


def scores(count=40, *, seed=0):
    """Two correlated scores in steps of 0.1, so that ties occur."""
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    shared = rng.normal(size=count) + positive
    return positive, *(np.round(shared + rng.normal(size=count), 1) for _ in range(2))


def over_all_pairs(positive, score):
    """Components of DeLong et al. 1988, equations 4 and 5."""
    wins = np.array([[(hit > miss) + (hit == miss) / 2 for miss in score[~positive]] for hit in score[positive]])
    return wins.mean(axis=1), wins.mean(axis=0)


def test_components_equal_the_comparison_of_all_pairs():
    positive, first, _ = scores()
    for found, expected in zip(structural_components(positive, first), over_all_pairs(positive, first), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_covariance_and_p_equal_the_definition():
    positive, first, second = scores()
    found = delong_test(positive, first, second, groups=np.arange(len(first)))
    below, above = zip(*(over_all_pairs(positive, score) for score in (first, second)), strict=True)
    covariance = np.cov(below) / positive.sum() + np.cov(above) / (~positive).sum()
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    areas = [roc_auc_score(positive, score) for score in (first, second)]
    assert found.areas == pytest.approx(areas)
    error = np.sqrt(np.array([-1, 1]) @ covariance @ np.array([-1, 1]))
    assert found.standard_error == pytest.approx(error)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(areas[1] - areas[0]) / error))


def test_a_small_example_by_hand():
    positive = np.array([True, True, False, False])
    first, second = np.array([4.0, 2.0, 3.0, 1.0]), np.array([4.0, 3.0, 2.0, 1.0])
    found = delong_test(positive, first, second, groups=np.arange(4))
    assert found.areas == (0.75, 1.0)
    # components of the first score: positives 1 and 1/2, negatives 1/2 and 1; of the second all 1
    np.testing.assert_allclose(found.covariance, [[0.125, 0], [0, 0]])
    assert found.z == pytest.approx(0.25 / np.sqrt(0.125))


def test_repeating_every_case_adds_no_certainty():
    positive, first, second = scores()
    once = delong_test(positive, first, second, groups=np.arange(40))
    thrice = delong_test(*(np.tile(values, 3) for values in (positive, first, second)), groups=np.tile(range(40), 3))
    np.testing.assert_allclose(thrice.covariance, once.covariance)
    assert thrice.p == pytest.approx(once.p)


def test_the_variance_of_groups_with_both_classes_equals_obuchowskis_sums():
    positive, first, second = scores()
    groups = np.arange(40) % 13
    found = delong_test(positive, first, second, groups=groups).covariance
    expected = np.zeros((2, 2))
    parts = [over_all_pairs(positive, score) for score in (first, second)]
    hits, misses, m, n = groups[positive], groups[~positive], positive.sum(), (~positive).sum()

    def centred_sums(score, column, owner):
        values = parts[score][column]
        return np.array([(values[owner == group] - values.mean()).sum() for group in range(13)])

    for r in range(2):
        for s in range(2):
            for column, owner, count in ((0, hits, m), (1, misses, n)):
                size = len(set(owner.tolist()))
                shared = centred_sums(r, column, owner) @ centred_sums(s, column, owner)
                expected[r, s] += size / (size - 1) * shared / count**2
            crossed = centred_sums(r, 0, hits) @ centred_sums(s, 1, misses)
            crossed += centred_sums(s, 0, hits) @ centred_sums(r, 1, misses)
            expected[r, s] += 13 / 12 * crossed / (m * n)
    np.testing.assert_allclose(found, expected)


def test_nothing_to_test():
    positive, first, _ = scores()
    same = delong_test(positive, first, first, groups=np.arange(40))
    assert (same.standard_error, same.z, same.p) == (0.0, None, 1.0)
    perfect = positive.astype(float)
    assert delong_test(positive, 1 - perfect, perfect, groups=np.arange(40)).p is None  # no variance to judge by
    one = np.arange(5) == 0
    assert delong_test(one, np.arange(5.0), np.arange(5.0), groups=np.arange(5)) is None
