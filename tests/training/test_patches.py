"""Patches of volumes: about lesions or elsewhere, with the case's class only where its lesion is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from bustle.core.config import Component
from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.core.types import Case, Geometry, Label, Sample
from bustle.data.prepared.cache import CaseCache
from bustle.data.prepared.intensities import normalise
from bustle.data.transforms.volume_augmentation import VolumeAugmentation
from bustle.training.batch_sources import BatchSources, batch_sources, check_data
from bustle.training.location_labels import LocationLabels
from bustle.training.normalisation import Normalisation
from bustle.training.patches import (
    PatchAssembly,
    PatchPlaces,
)
from bustle.training.steps.build import step_names

SIZE = (80, 40, 60)
LABELS: tuple[Label, ...] = ("malignant", "benign", "normal", "malignant")
ONE_LESION, NO_MASK, NORMAL, TWO_LESIONS = range(4)


def section(
    *, lesion_share: float = 1.0, lesion_offset: float = 0.0, classes: Sequence[str] = ("benign", "malignant")
) -> PatchData:
    return PatchData(
        size=(32, 32, 34),
        spacing_mm=0.5,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        normalisation="z_score",
        lesion_share=lesion_share,
        lesion_offset=lesion_offset,
        classes=tuple(classes),
    )


def made(number: int) -> Sample:
    rng = np.random.default_rng(number)
    image = rng.integers(20, 100, (1, *SIZE), np.uint8)
    instances = np.zeros(SIZE, np.uint8)
    if number in (ONE_LESION, TWO_LESIONS):
        instances[10:20, 5:15, 8:18] = 1
    if number == TWO_LESIONS:
        instances[60:75, 20:35, 40:55] = 2
    return Sample(
        case_id=f"made/{number}",
        source="made",
        image=image,
        geometry=Geometry(SIZE, spacing=(0.5, 0.5, 0.5)),
        lesion_mask=None if number == NO_MASK else instances,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def places_of(folder: Path, wanted: PatchData) -> tuple[CaseCache, LocationLabels, PatchPlaces]:
    cases = [Case(f"made/{i}", "made", partial(made, i), label=LABELS[i], metadata={"number": i}) for i in range(4)]
    cache = CaseCache.open(cases, section=wanted, directory=folder)
    locations = LocationLabels(cache, section=wanted, train=np.arange(4), seed=0)
    normal = wanted.classes.index("normal") if "normal" in wanted.classes else None
    return cache, locations, PatchPlaces(cache, section=wanted, locations=locations, normal=normal)


def assembly_of(
    cache: CaseCache, locations: LocationLabels, wanted: PatchData, *, device: str = "cpu"
) -> PatchAssembly:
    return PatchAssembly(
        cache, section=wanted, locations=locations, device=torch.device(device), positions=np.arange(4)
    )


def test_a_patch_about_a_lesion_has_it_in_its_middle(prepared: Path):
    cache, locations, places = places_of(prepared, section())
    patch = places.about_lesion(ONE_LESION)
    assert patch.start == (14 - 16, 10 - 16, 12 - 17)
    assert patch.labelled
    batch = assembly_of(cache, locations, section())([patch, places.about_lesion(NORMAL)], [])
    assert batch.image.shape == (2, 1, 32, 32, 34)
    assert batch.lesion_mask[0].sum() == 1000, "the whole lesion"
    assert torch.argwhere(batch.lesion_mask[0] > 0).float().mean(dim=0).tolist() == [16.5, 15.5, 17.5]
    assert batch.label.tolist() == [1, -1], "normal is no class of this recipe"
    assert batch.has_label.tolist() == [True, False]
    assert batch.has_mask.tolist() == [True, True]
    inside = cache.images[ONE_LESION][0, :30, :26, :29]
    padded = np.pad(inside, ((2, 0), (6, 0), (5, 0)), constant_values=int(cache.images[ONE_LESION].min()))
    assert torch.allclose(batch.image[0], torch.from_numpy(normalise(padded[None], section=section())), atol=1e-5)
    assert float(batch.image[0].mean()) == pytest.approx(0, abs=1e-4)
    assert float(batch.image[0].std()) == pytest.approx(1, abs=1e-3)


def test_lesion_share_divides_patches_between_lesions_and_elsewhere(prepared: Path):
    _, _, always = places_of(prepared, section())
    drawn = {always.drawn(TWO_LESIONS, seed=0, epoch=epoch).start for epoch in range(20)}
    middles = [tuple(np.add(start, (16, 16, 17)).tolist()) for start in drawn]
    assert set(middles) == set(always.centres[TWO_LESIONS])
    assert always.about_lesion(TWO_LESIONS).start in drawn
    _, _, half = places_of(prepared, section(lesion_share=0.5))
    drawn = [half.drawn(ONE_LESION, seed=0, epoch=epoch) for epoch in range(200)]
    about = [patch.start == half.about_lesion(ONE_LESION).start for patch in drawn]
    assert 70 < sum(about) < 130
    assert [patch.labelled for patch in drawn] == about, "away from the lesion the case's class says nothing"
    assert drawn == [half.drawn(ONE_LESION, seed=0, epoch=epoch) for epoch in range(200)]
    assert not half.drawn(NORMAL, seed=0, epoch=0).labelled


def test_lesion_offset_moves_the_lesion_off_the_middle_but_not_out(prepared: Path):
    _, _, places = places_of(prepared, section(lesion_offset=0.25))
    drawn = [places.drawn(ONE_LESION, seed=0, epoch=epoch) for epoch in range(200)]
    (centre,) = places.centres[ONE_LESION]
    off = np.array([np.subtract(centre, patch.start) - (16, 16, 17) for patch in drawn])
    assert (np.abs(off) <= (8, 8, 9)).all()
    assert (np.abs(off).max(axis=0) >= (7, 7, 7)).all()
    assert np.abs(off.mean(axis=0)).max() < 1.5
    assert all(patch.labelled for patch in drawn)


def test_a_lesion_that_augmentation_has_moved_out_of_view_takes_its_class_along(prepared: Path):
    cache, locations, places = places_of(prepared, section())
    seen = places.about_lesion(ONE_LESION)
    moved = replace(seen, start=(200, 200, 200))  # where an augmentation looks that has turned away from it
    batch = assembly_of(cache, locations, section())([seen, moved], [])
    assert batch.has_label.tolist() == [True, False]
    assert batch.label.tolist() == [1, -1]


@pytest.mark.parametrize("is_augmented", [False, True])
def test_no_patch_waits_for_a_gpu(is_augmented: bool, prepared: Path):
    """The device `meta` has no values that could be read, as reading one would wait for a GPU."""
    cache, locations, places = places_of(prepared, section())
    patches = [places.about_lesion(ONE_LESION), places.about_lesion(TWO_LESIONS)]
    turns = VolumeAugmentation.from_components(
        [Component("rotate", {"depth_axis": 9, "other_axes": 9})], size=section().size
    )
    drawn = [turns.draw(str(place), seed=0, epoch=0) for place in range(2)] if is_augmented else []
    batch = assembly_of(cache, locations, section(), device="meta")(patches, drawn)
    assert batch.image.shape == (2, 1, *section().size)


def test_every_patch_of_a_normal_volume_is_normal_where_that_is_a_class(prepared: Path):
    three = section(lesion_share=0.5, classes=("benign", "malignant", "normal"))
    _, _, places = places_of(prepared, three)
    assert all(places.drawn(NORMAL, seed=0, epoch=epoch).labelled for epoch in range(10))


def sources_of(folder: Path, wanted: PatchData, *, train: Sequence[int], val: Sequence[int]) -> BatchSources:
    cache, locations, _ = places_of(folder, wanted)
    recipe = load_recipe("cms_vnet_iter_cpu")
    return batch_sources(
        replace(recipe, data=wanted),
        cache=cache,
        locations=locations,
        train=np.array(train),
        val=np.array(val, np.int64),
        device=torch.device("cpu"),
    )


def test_an_epoch_has_one_patch_of_every_case_and_repeats_itself(prepared: Path):
    sources = sources_of(prepared, section(lesion_share=0.7), train=[ONE_LESION, NORMAL, TWO_LESIONS], val=[])
    assert sources.validation is None
    epoch = sources.training(0)
    (batch,) = list(epoch)
    assert len(epoch) == 1, "a last batch of one joins the one before"
    assert sorted(batch.case_ids) == ["made/0", "made/2", "made/3"]
    again = next(iter(sources.training(0)))
    assert again.case_ids == batch.case_ids
    assert torch.equal(again.image, batch.image)
    assert torch.equal(again.lesion_mask, batch.lesion_mask)
    assert not torch.equal(next(iter(sources.training(1))).image, batch.image)


def test_validation_takes_the_largest_lesion(prepared: Path):
    sources = sources_of(prepared, section(), train=[ONE_LESION, NORMAL], val=[TWO_LESIONS, ONE_LESION])
    (batch,) = list(sources.validation or ())
    assert batch.case_ids == ["made/3", "made/0"]
    assert batch.lesion_mask[0].max() == 2
    assert batch.label.tolist() == [1, 1]


def test_validation_of_a_model_that_searches_also_takes_a_patch_elsewhere(prepared: Path):
    wanted = section(lesion_share=0.7)
    sources = sources_of(prepared, wanted, train=[NORMAL], val=[ONE_LESION, NORMAL])
    (batch,) = list(sources.validation or ())
    (again,) = list(sources.validation or ())
    assert batch.case_ids == ["made/0"] * 2 + [f"made/{NORMAL}"] * 2
    assert batch.lesion_mask[1].sum() == 0, "not a voxel of the lesion"
    assert torch.equal(batch.image, again.image), "the same one in every epoch"
    assert batch.has_label.tolist()[:2] == [True, False]
    assert batch.lesion_mask[0].sum() > batch.lesion_mask[1].sum()


def test_steps_that_learn_from_cases_without_a_mask_are_refused():
    for name in step_names():
        recipe = load_recipe("cms_vnet_iter_cpu", overrides=[f"training.step={name}"])
        if name in ("joint", "refinement"):
            check_data(recipe)
        else:
            with pytest.raises(InputError, match=f"training.step {name} learns from volumes without a mask"):
                check_data(recipe)


@pytest.mark.parametrize("kind", ["fixed", "z_score"])
@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation_is_that_of_inference(kind, channels: int):
    rng = np.random.default_rng(0)
    for colours in (1, 3):
        images = rng.integers(0, 256, (2, colours, 40, 36), np.uint8)
        images[1] = 0 if (colours, channels) == (3, 1) else 7  # a mean of whole numbers is exact, one of luma is not
        wanted = ImageData(
            size=(40, 36), channels=channels, mean=(0.4,) * channels, std=(0.2,) * channels, normalisation=kind
        )
        on_device = Normalisation(wanted, device=torch.device("cpu"))(torch.from_numpy(images))
        by_numpy = normalise(images, section=wanted)
        assert on_device.shape == by_numpy.shape == (2, channels, 40, 36)
        # A sum of n values in two orders lies within n eps times their size: one pixel's colours, or all pixels.
        terms, unit = (8, 255 * 0.2) if kind == "fixed" else (images[0].size, images[0].std())
        assert np.abs(on_device.numpy() - by_numpy).max() <= terms * np.finfo(np.float32).eps * 255 / unit
