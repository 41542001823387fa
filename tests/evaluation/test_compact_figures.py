"""Compact figures hold every value: estimates in tables, a single source, and figures told as differences."""

from __future__ import annotations

import copy

import pytest

from bustle.evaluation.compact_figures import compact_figures, difference, full_figures, with_difference


def estimate(mean):
    return {"mean": mean, "sd": None, "ci95": [0.1, 0.9], "n": 4, "unit": "fraction"}


def part(mean):
    classes = {"n": 4, "confusion": [[1, 1], [0, 2]], "auc": estimate(0.75), "accuracy": estimate(mean)}
    return {"n_cases": 4, "segmentation": {"dice": estimate(mean)}, "classification": classes, "consistency": None}


def figures(sources):
    by_size = {"unit": "px", "borders": [3.5], "strata": {"small": part(0.4), "large": part(0.6)}}
    return part(0.5) | {"track": "strict", "by_size": by_size, "by_source": sources}


@pytest.mark.parametrize(
    ("sources", "kept"),
    [
        ({"made": part(0.5)}, {"made": None}),
        ({"made": part(0.5 + 1e-12)}, None),  # an older version's figures may differ
        ({"a": part(0.2), "b": part(0.8)}, None),
        ({"estimates": part(0.2), "mean": part(0.3), "unit": part(0.8)}, None),
    ],
)
def test_every_figure_comes_back(sources, kept):
    whole = figures(sources)
    before = copy.deepcopy(whole)
    compact = compact_figures(whole)
    assert whole == before
    assert compact["classification"]["estimates"]["metric"] == ["auc", "accuracy"]
    assert compact["by_source"] == (compact_figures(sources) if kept is None else kept)
    assert full_figures(compact) == whole


def test_the_spread_over_folds_of_a_single_source_has_no_lesions_of_its_own():
    own = {name: value for name, value in part(0.5).items() if name != "n_cases"}
    over_folds = own | {"lesion_detection": {"cpm": estimate(0.3)}, "folds": 2}
    over_folds["by_source"] = {"made": own | {"lesion_detection": None}}
    compact = compact_figures(over_folds)
    assert compact["by_source"] == {"made": None}
    assert full_figures(compact) == over_folds


@pytest.mark.parametrize(
    ("value", "base", "found"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}}, {"b": {"d": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
        ({"a": None}, {"a": {"b": 1}}, {"a": None}),
        ({"a": 1, "new": None}, {"a": 1}, {"new": None}),
        ({"a": {"b": []}}, {"a": {"b": []}}, {}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_a_difference_gives_the_figures_back(value, base, found):
    assert difference(value, base) == found
    assert with_difference(found, base) == value


def test_figures_that_lack_a_part_have_no_difference():
    assert difference({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}) is None
