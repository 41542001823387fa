from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.core.recipe import Recipe
from bustle.core.types import Batch, Case
from bustle.data.prepared.cache import CaseCache
from bustle.data.transforms.augmentation import Augmentation
from bustle.training.batch_sources import batch_sources
from bustle.training.batches import (
    Batches,
    DeviceAssembly,
    balanced,
    batch_positions,
    positions_of,
    shuffled,
)
from bustle.training.location_labels import LocationLabels


def batches(cache: CaseCache, recipe: Recipe, *, epoch: int, device: bool = False, augmented: bool = True) -> Batches:
    """Of the processor's assembly through `batch_sources`, of an accelerator's by hand, since there may be none."""
    positions = np.arange(len(cache))
    locations = LocationLabels(cache, section=recipe.data, train=positions, seed=5)
    training = replace(recipe.training, seed=5, batch_size=4)
    recipe = replace(recipe, augmentation=recipe.augmentation if augmented else (), training=training)
    where = torch.device("cpu")
    if not device:
        none = np.arange(0)
        sources = batch_sources(recipe, cache=cache, locations=locations, train=positions, val=none, device=where)
        return sources.training(epoch)
    assembly = DeviceAssembly(cache, section=recipe.data, locations=locations, device=where, positions=positions)
    augmentation = Augmentation.from_components(recipe.augmentation, size=recipe.data.size)

    def make(chosen: NDArray[np.int64]) -> Batch:
        return assembly(chosen, [augmentation.draw(cache.case_ids[i], seed=5, epoch=epoch) for i in chosen])

    return Batches(make, positions[shuffled(len(positions), seed=5, epoch=epoch)], batch_size=4)


@pytest.mark.parametrize(
    ("count", "sizes"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (1, [1]), (3, [3]), (5, [5])]
)
def test_no_batch_of_one_and_no_case_lost(count: int, sizes: list[int]) -> None:
    places = batch_positions(count, batch_size=4)
    assert [len(place) for place in places] == sizes
    assert [i for place in places for i in place] == list(range(count))


def test_no_balance_takes_each_case_once_in_the_shuffled_order() -> None:
    order = balanced(["a"] * 40 + ["b"] * 10, balance=0, seed=1, epoch=3)
    assert order.tolist() == shuffled(50, seed=1, epoch=3).tolist()


@pytest.mark.parametrize(("balance", "rare"), [(1.0, 25), (0.5, 50 * 10**0.5 / (10**0.5 + 40**0.5))])
def test_balance_gives_a_rare_group_the_stated_share(balance: float, rare: float) -> None:
    for epoch in range(5):
        order = balanced(["a"] * 40 + ["b"] * 10, balance=balance, seed=1, epoch=epoch)
        assert len(order) == 50
        taken = np.bincount(order, minlength=50)
        assert abs(taken[40:].sum() - rare) <= 10  # each case: its expected number, rounded up or down
        assert set(taken[40:]) <= {int(rare // 10), int(rare // 10) + 1}
        assert set(taken[:40]) <= {0, 1}
    assert order.tolist() == balanced(["a"] * 40 + ["b"] * 10, balance=balance, seed=1, epoch=4).tolist()


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first = shuffled(50, seed=1, epoch=3)
    assert np.array_equal(first, shuffled(50, seed=1, epoch=3))
    assert not np.array_equal(first, shuffled(50, seed=1, epoch=4))
    assert not np.array_equal(first, shuffled(50, seed=2, epoch=3))
    assert sorted(first) == list(range(50))


def test_an_epoch_is_the_same_whenever_it_is_asked_for(cache: CaseCache, recipe: Recipe) -> None:
    list(batches(cache, recipe, epoch=0))
    once, again = batches(cache, recipe, epoch=1), batches(cache, recipe, epoch=1)
    for left, right in zip(once, again, strict=True):
        assert left.case_ids == right.case_ids
        assert torch.equal(left.image, right.image)
        assert torch.equal(left.lesion_mask, right.lesion_mask)
    other = next(iter(batches(cache, recipe, epoch=2)))
    assert other.case_ids != next(iter(once)).case_ids


def test_batch_holds_what_the_cases_say(cache: CaseCache, recipe: Recipe) -> None:
    seen = []
    for batch in batches(cache, recipe, epoch=0, augmented=False):
        assert batch.image.dtype == torch.float32
        assert batch.lesion_mask.dtype == batch.label.dtype == torch.int64
        for place, case_id in enumerate(batch.case_ids):
            index = cache.index_of(case_id)
            seen.append(case_id)
            assert recipe.data.classes[int(batch.label[place])] == cache.cases[index].label
            assert np.array_equal(batch.lesion_mask[place].numpy(), cache.lesion_masks[index])
            expected = (cache.images[index] / 255 - 0.3) / 0.25
            np.testing.assert_allclose(batch.image[place].numpy(), expected, atol=1e-5)
    assert sorted(seen) == sorted(cache.case_ids)


def test_both_assemblies_make_the_same_batches(cache: CaseCache, recipe: Recipe) -> None:
    plain = zip(
        batches(cache, recipe, epoch=0, augmented=False),
        batches(cache, recipe, epoch=0, augmented=False, device=True),
        strict=True,
    )
    for left, right in plain:
        torch.testing.assert_close(left.image, right.image, atol=1e-5, rtol=0)
        assert torch.equal(left.gland_mask, right.gland_mask)
    augmented = zip(batches(cache, recipe, epoch=1), batches(cache, recipe, epoch=1, device=True), strict=True)
    for left, right in augmented:
        assert left.case_ids == right.case_ids
        assert (left.image - right.image).abs().mean() < 2 / 255 / 0.25  # two grey levels, by interpolation
        assert (left.lesion_mask != right.lesion_mask).float().mean() < 0.01


def test_validation_keeps_the_order(cache: CaseCache, recipe: Recipe) -> None:
    locations = LocationLabels(cache, section=recipe.data, train=np.arange(0), seed=5)
    recipe = replace(recipe, training=replace(recipe.training, batch_size=2))
    train, val = np.arange(3), np.array([4, 2, 7])
    cpu = torch.device("cpu")
    sources = batch_sources(recipe, cache=cache, locations=locations, train=train, val=val, device=cpu)
    found = list(sources.validation or ())
    assert [batch.case_ids for batch in found] == [[cache.case_ids[i] for i in (4, 2, 7)]]


def test_a_case_that_the_data_lacks_is_named(cache: CaseCache) -> None:
    with pytest.raises(InputError, match="'busi/gone'"):
        positions_of(cache, [cache.case_ids[0], "busi/gone"])


def test_a_cache_that_is_cut_off_while_training_is_one_line(
    cases: Sequence[Case], recipe: Recipe, tmp_path: Path
) -> None:
    cache = CaseCache.open(cases, section=recipe.data, directory=tmp_path)
    made = iter(batches(cache, recipe, epoch=0))
    next(made)
    (file,) = tmp_path.glob("prepared-*/images.npy")
    os.truncate(file, 100)
    with pytest.raises(InputError, match=r"images\.npy: was changed while it was in use"):
        next(made)


@pytest.mark.parametrize("classes", [("benign", "malignant", "normal"), ("benign", "malignant")])
def test_a_window_beside_the_lesion_is_a_normal_picture(
    cache: CaseCache, recipe: Recipe, classes: tuple[str, ...]
) -> None:
    """And of a network that knows no normals it has no class."""
    section = replace(recipe.data, classes=classes)
    crop = Component("lesion_free_crop", {"probability": 1.0, "area": [0.05, 0.2], "margin": 0.0})
    both = [
        next(iter(batches(cache, replace(recipe, data=section, augmentation=augmentation), epoch=0)))
        for augmentation in ((), (crop,))
    ]
    whole, cropped = both
    assert whole.case_ids == cropped.case_ids
    emptied = [
        bool((one > 0).any() and not (other > 0).any())
        for one, other in zip(whole.lesion_mask, cropped.lesion_mask, strict=True)
    ]
    assert any(emptied)
    for place, gone in enumerate(emptied):
        if not gone:
            assert cropped.label[place] == whole.label[place]
        elif "normal" in classes:
            assert classes[int(cropped.label[place])] == "normal"
            assert cropped.has_label[place]
        else:
            assert not cropped.has_label[place]
