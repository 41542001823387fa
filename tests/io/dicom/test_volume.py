"""Slices as frames: the order of slices, the size of voxels, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.io.dicom.made_files import data_set, region, scan, written

from bustle.core.errors import InputError
from bustle.io.dicom.image import ENHANCED_VOLUME, read_dicom
from bustle.io.dicom.pictures import pictures_of, read_picture
from bustle.io.dicom.volume import read_dicom_volume

SLICES = np.stack([scan(40, 50, seed=seed) for seed in range(5)])
TILTED = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def enhanced(folder: Path, positions: list[float], **elements: Any) -> Path:
    """Frames at such places (mm) along x, the normal of `TILTED` slices, which lies to the right."""
    measures = item(PixelSpacing=[0.2, 0.3])
    orientation = item(ImageOrientationVolume=TILTED)
    shared = item(PixelMeasuresSequence=[measures], PlaneOrientationVolumeSequence=[orientation])
    frames = [item(PlanePositionVolumeSequence=[item(ImagePositionVolume=[-place, 5.0, 7.0])]) for place in positions]
    made = data_set(
        SLICES,
        frames=len(SLICES),
        SOPClassUID=ENHANCED_VOLUME,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
        **elements,
    )
    return written(folder, made)


def test_slices_are_put_in_the_order_of_their_places(tmp_path: Path):
    path = enhanced(tmp_path, [1.5, 0.0, 0.5, 2.0, 1.0])
    voxels, geometry = read_dicom_volume(path)
    np.testing.assert_array_equal(voxels, SLICES[[1, 2, 4, 0, 3]])
    assert geometry.spacing == pytest.approx((0.5, 0.2, 0.3))
    assert geometry.origin == pytest.approx((0.0, 5.0, 7.0))
    assert geometry.direction is not None
    np.testing.assert_allclose(np.reshape(geometry.direction, (3, 3)).T, [[0, 1, 0], [0, 0, -1], [-1, 0, 0]])


def test_a_volume_is_one_picture(tmp_path: Path):
    (picture,) = pictures_of(read_dicom(enhanced(tmp_path, [0.0, 0.5, 1.0, 1.5, 2.0])))
    assert picture.name == picture.sop_uid
    pixels, geometry = read_picture(picture)
    assert pixels.shape == (1, 5, 40, 50)
    assert geometry.original_size == (5, 40, 50)


def test_uneven_slices_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="slices that are not evenly spaced"):
        read_dicom_volume(enhanced(tmp_path, [0.0, 0.5, 1.0, 1.5, 2.2]))


def test_the_slices_of_a_breast_scanner_are_a_volume_and_a_clip_is_none(tmp_path: Path):
    abus = {"PixelSpacing": [0.1, 0.2], "SpacingBetweenSlices": 0.5}
    image = read_dicom(written(tmp_path, data_set(SLICES, frames=5, **abus)))
    assert image.is_volume
    voxels, geometry = read_dicom_volume(image.path)
    np.testing.assert_array_equal(voxels, SLICES)
    assert geometry.spacing == pytest.approx((0.5, 0.1, 0.2))
    clip = read_dicom(written(tmp_path, data_set(SLICES, frames=5, FrameTime=33.3, **abus)))
    assert not clip.is_volume


def test_pixels_of_slices_may_be_measured_by_a_region(tmp_path: Path):
    made = data_set(SLICES, frames=5, SpacingBetweenSlices=0.5, regions=[region((0, 0, 39, 49), (0.01, 0.02))])
    _, geometry = read_dicom_volume(written(tmp_path, made))
    assert geometry.spacing == pytest.approx((0.5, 0.1, 0.2))


def test_slices_without_any_size_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="states no size of its voxels"):
        read_dicom_volume(written(tmp_path, data_set(SLICES, frames=5, SpacingBetweenSlices=0.5)))
