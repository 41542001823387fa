"""Which training cases keep their location, and boxes in place of outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bustle.core.recipe import Recipe
from bustle.core.types import Box, Case, Sample
from bustle.data.prepared.cache import CaseCache
from bustle.training.location_labels import LocationLabels, filled, tight_boxes


def labels(cache: CaseCache, recipe: Recipe, *, fraction: float = 1.0, location: str = "mask", seed: int = 0):
    section = replace(recipe.data, located_fraction=fraction, location=location)  # type: ignore[arg-type]
    return LocationLabels(cache, section=section, train=np.arange(min(10, len(cache))), seed=seed)


def test_the_fraction_is_exact_and_larger_ones_hold_smaller_ones(cache: CaseCache, recipe: Recipe) -> None:
    kept = [set(np.flatnonzero(labels(cache, recipe, fraction=f).present[:10])) for f in (0.0, 0.3, 0.5, 1.0)]
    assert [len(each) for each in kept] == [0, 3, 5, 10]
    assert kept[1] < kept[2] < kept[3]
    other = set(np.flatnonzero(labels(cache, recipe, fraction=0.5, seed=1).present[:10]))
    assert other != kept[2], "another seed keeps others"


def test_cases_outside_of_the_training_part_keep_theirs(cache: CaseCache, recipe: Recipe) -> None:
    assert labels(cache, recipe, fraction=0.0).present[10:].all()


def test_a_location_that_is_not_kept_cannot_be_seen(cache: CaseCache, recipe: Recipe) -> None:
    found = labels(cache, recipe, fraction=0.3)
    for position in range(10):
        assert found.present[position] or not found.mask(position).any()
    whole = labels(cache, recipe)
    assert all(np.array_equal(whole.mask(i), cache.lesion_masks[i]) for i in range(len(cache)))


def test_boxes_by_hand() -> None:
    instances = np.zeros((6, 8), np.uint8)
    instances[1, 2], instances[3, 4] = 1, 1
    instances[5, 7] = 2
    assert tight_boxes(instances) == [Box(1, 2, 4, 5), Box(5, 7, 6, 8)]
    expected = np.zeros((6, 8), np.uint8)
    expected[1:4, 2:5], expected[5, 7] = 1, 2
    assert np.array_equal(filled(tight_boxes(instances), shape=(6, 8)), expected)
    assert tight_boxes(np.zeros((3, 3), np.uint8)) == []


@pytest.fixture
def boxed(cases: Sequence[Case], recipe: Recipe, tmp_path, monkeypatch: pytest.MonkeyPatch) -> CaseCache:
    """Three cases: one outlined, one with only a box, one with neither."""

    def reduced(case: Case, *, box: bool) -> Case:
        def load() -> Sample:
            boxes = (Box(10, 20, 30, 50),) if box else None
            return replace(case.load(), lesion_mask=None, lesion_labels=(), boxes=boxes)

        changed = {"reduced": f"{box}"}  # another content under another key of the cache
        return replace(case, load=load, has_mask=False, has_box=box, metadata={**case.metadata, **changed})

    some = [case for case in cases if case.label != "normal"][:3]
    return CaseCache.open(
        [some[0], reduced(some[1], box=True), reduced(some[2], box=False)],
        section=recipe.data,
        directory=tmp_path,
    )


def test_boxes_stand_for_masks_where_the_recipe_says_so(boxed: CaseCache, recipe: Recipe) -> None:
    outlines, boxes = (labels(boxed, replace(recipe), location=kind) for kind in ("mask", "box"))
    assert outlines.present.tolist() == [True, False, False]
    assert boxes.present.tolist() == [True, True, False]
    outline, box = outlines.mask(0) > 0, boxes.mask(0) > 0
    assert box[outline].all()
    assert box.sum() > outline.sum()
    expected = np.zeros((64, 64), bool)
    expected[10:30, 20:50] = True
    assert np.array_equal(boxes.mask(1) > 0, expected)
    assert not boxes.mask(2).any()
