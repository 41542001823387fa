"""Whole cases: determinism, annotations, frames of a patient, visible signs."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from bustle.core.errors import InputError
from bustle.core.types import Sample
from bustle.data.phantom.cases import anatomy_masks, case_anatomy, phantom_case
from bustle.data.phantom.plan import plan_case

SIZE = 96


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [phantom_case(index, seed=0, size=SIZE) for index in range(40)]


def digest(sample: Sample) -> str:
    content = hashlib.sha256(sample.image.tobytes())
    content.update(np.asarray(sample.lesion_mask).tobytes())
    content.update(np.asarray(sample.gland_mask).tobytes())
    return content.hexdigest()


def test_same_seed_same_bytes_whatever_was_made_before(samples: list[Sample]) -> None:
    for index in (13, 5, 28):
        again = phantom_case(index, seed=0, size=SIZE)
        assert digest(again) == digest(samples[index])
        assert again.provenance == samples[index].provenance
    assert digest(phantom_case(5, seed=1, size=SIZE)) != digest(samples[5])
    assert len({digest(sample) for sample in samples}) == len(samples)


def test_every_annotation_is_there(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.image.shape == (1, SIZE, SIZE)
        assert sample.image.dtype == np.uint8
        assert sample.lesion_mask is not None
        assert sample.lesion_mask.dtype == np.uint8
        assert sample.gland_mask is not None
        assert sample.gland_mask.dtype == np.bool_
        assert 0.05 < sample.gland_mask.mean() < 0.8
        assert sample.geometry.original_size == (SIZE, SIZE)
        assert sample.geometry.spacing is not None
        assert SIZE * sample.geometry.spacing[0] == pytest.approx(sample.provenance["depth_mm"], abs=1e-3)
        lesions = int(sample.lesion_mask.max())
        assert len(sample.lesion_labels) == lesions
        assert (lesions == 0) == (sample.label == "normal")
        if lesions:
            assert sample.lesion_labels[0] == sample.label
        for number in range(1, lesions + 1):
            region = sample.lesion_mask == number
            assert ndimage.label(region, structure=np.ones((3, 3)))[1] == 1
            assert not np.any(region & ~sample.gland_mask)


def test_every_planned_lesion_is_visible_with_one_label_each() -> None:
    two = 0
    for index in range(300):
        plan = plan_case(index, seed=2)
        instances, _ = anatomy_masks(plan.patient, case_anatomy(plan), size=128)
        counts = np.bincount(instances.ravel(), minlength=len(plan.patient.lesion_kinds) + 1)
        assert len(counts) == len(plan.patient.lesion_kinds) + 1
        assert counts[1:].min(initial=999) >= 20
        two += len(counts) == 3
    assert two > 5


def test_images_use_the_grey_scale(samples: list[Sample]) -> None:
    means = np.array([sample.image.mean() for sample in samples])
    spreads = np.array([sample.image.std() for sample in samples])
    assert 60 < means.mean() < 120
    assert 30 < spreads.mean() < 60
    assert means.min() > 25


def test_frames_of_a_patient_are_alike_but_not_equal(samples: list[Sample]) -> None:
    def smooth(sample: Sample) -> np.ndarray:
        image = ndimage.gaussian_filter(sample.image[0].astype(float), 3)
        return (image - image.mean()) / image.std()

    same, other = [], []
    for index, first in enumerate(samples):
        for second in samples[index + 1 :]:
            alike = float(np.mean(smooth(first) * smooth(second)))
            (same if first.patient_id == second.patient_id else other).append(alike)
    assert np.mean(same) > np.mean(other) + 0.15
    assert max(same) < 0.999


def test_cysts_are_dark_with_a_brighter_band_behind() -> None:
    inside, behind, seen = [], [], 0
    for index in range(400):
        plan = plan_case(index, seed=0)
        if plan.patient.lesion_kinds != ("cyst",) or plan.frame != 1 or plan.patient.confusers:
            continue
        sample = phantom_case(index, seed=0, size=SIZE)
        image, mask = sample.image[0].astype(float), sample.lesion_mask == 1
        rows, columns = np.nonzero(mask)
        left, right, bottom = columns.min(), columns.max(), rows.max()
        strip = image[bottom + 2 : bottom + 14]
        wide = right - left
        beside = np.hstack([strip[:, max(0, left - wide) : max(0, left - 2)], strip[:, right + 2 : right + wide]])
        inside.append(image[ndimage.binary_erosion(mask, iterations=2)].mean() / image.mean())
        behind.append(strip[:, left + wide // 4 : right - wide // 4].mean() - beside.mean())
        seen += 1
    assert seen >= 4
    assert np.mean(inside) < 0.35
    assert np.mean(behind) > 5


def test_anatomy_does_not_depend_on_the_image_size() -> None:
    large, small = phantom_case(3, seed=0, size=192), phantom_case(3, seed=0, size=64)
    assert large.lesion_mask is not None
    assert small.lesion_mask is not None
    reduced = large.lesion_mask[1::3, 1::3] > 0
    assert np.mean(reduced != (small.lesion_mask > 0)) < 0.002
    coarse = large.image[0].reshape(64, 3, 64, 3).mean(axis=(1, 3))
    assert (
        np.corrcoef(
            ndimage.gaussian_filter(coarse, 2).ravel(),
            ndimage.gaussian_filter(small.image[0].astype(float), 2).ravel(),
        )[0, 1]
        > 0.95
    )


@pytest.mark.parametrize("size", [0, 31, 5000, -3])
def test_impossible_size_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="32 to 1024"):
        phantom_case(0, seed=0, size=size)


@pytest.mark.parametrize("size", [32, 33, 101])
def test_odd_sizes_work(size: int) -> None:
    assert phantom_case(4, seed=0, size=size).image.shape == (1, size, size)
