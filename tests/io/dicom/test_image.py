"""Regions, sizes in mm, fields and whose study it is."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.io.dicom.made_files import US_CLIP, data_set, region, scan, written

from bustle.core.errors import InputError
from bustle.core.types import Box
from bustle.io.dicom.image import DicomImage, read_dicom
from bustle.io.dicom.pictures import pictures_of, read_picture

DOPPLER = {"RegionSpatialFormat": 3, "RegionDataType": 3}
M_MODE = {"RegionSpatialFormat": 2, "RegionDataType": 1}
COLOUR = {"RegionSpatialFormat": 1, "RegionDataType": 2}


def read(folder: Path, *regions: Dataset, **elements: object) -> DicomImage:
    return read_dicom(written(folder, data_set(scan(), regions=regions, **elements)))


def test_a_region_gives_the_crop_and_millimetres(tmp_path: Path):
    image = read(tmp_path, region((10, 20, 49, 69), (0.02, 0.01)))
    (field,) = image.fields
    assert field.box == Box(10, 20, 50, 70)
    assert field.spacing == pytest.approx((0.2, 0.1))
    assert field.spacing_source == "regions"
    (picture,) = pictures_of(image)
    pixels, geometry = read_picture(pickle.loads(pickle.dumps(picture)))
    np.testing.assert_array_equal(pixels[0], scan()[10:50, 20:70])
    assert geometry.spacing == field.spacing


def test_reversed_axes_and_corners_are_sizes_all_the_same(tmp_path: Path):
    (field,) = read(tmp_path, region((49, 69, 10, 20), (-0.02, -0.01))).fields
    assert field.box == Box(10, 20, 50, 70)
    assert field.spacing == pytest.approx((0.2, 0.1))


@pytest.mark.parametrize(
    "useless",
    [
        (),
        (region((0, 0, 0, 0)),),
        (region((5, 5, 5, 60)),),
        (region((100, 100, 200, 200)),),
    ],
)
def test_without_a_region_of_any_size_the_whole_picture_is_looked_at(useless: tuple[Dataset, ...], tmp_path: Path):
    image = read(tmp_path, *useless, PixelSpacing=[0.3, 0.2])
    (field,) = image.fields
    assert field.box == Box(0, 0, 60, 80)
    assert (field.spacing, field.spacing_source) == ((0.3, 0.2), "PixelSpacing")
    assert all(found.ignored is not None for found in image.regions)


def test_where_the_size_in_mm_is_from(tmp_path: Path):
    assert read(tmp_path, ImagerPixelSpacing=[0.3, 0.2]).fields[0].spacing_source == "ImagerPixelSpacing"
    assert read(tmp_path).fields[0].spacing is None
    unsized = region((10, 10, 49, 69), (0.0, 0.0))
    assert read(tmp_path, unsized).spacing is None
    assert read(tmp_path, unsized, PixelSpacing=[0.3, 0.2]).spacing == (0.3, 0.2)
    in_seconds = region((10, 10, 49, 69), PhysicalUnitsXDirection=4)
    assert read(tmp_path, in_seconds).spacing is None


@pytest.mark.parametrize("step", [1e-7, 1e3, float("1e300")])
def test_sizes_that_no_pixel_has_are_not_believed(step: float, tmp_path: Path):
    assert read(tmp_path, region((10, 10, 49, 69), (step, step))).spacing is None


def test_other_regions_are_left_out_with_the_reason(tmp_path: Path):
    image = read(
        tmp_path,
        region((0, 0, 29, 79), (0.03, 0.03)),
        region((5, 5, 20, 40), **COLOUR),
        region((30, 0, 59, 39), **DOPPLER),
        region((30, 40, 59, 79), **M_MODE),
    )
    assert [field.box for field in image.fields] == [Box(0, 0, 30, 80)]
    reasons = [None, "it shows colour flow", "it shows spectral Doppler", "it shows M-mode"]
    assert [found.ignored for found in image.regions] == reasons


def test_a_picture_without_b_mode_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="shows spectral Doppler, M-mode and no B-mode; leave it out"):
        read(tmp_path, region((0, 0, 29, 79), **DOPPLER), region((30, 0, 59, 79), **M_MODE))


def test_two_views_are_two_fields_from_the_left(tmp_path: Path):
    image = read(tmp_path, region((0, 42, 59, 79), (0.02, 0.02)), region((0, 0, 59, 39), (0.01, 0.01)))
    assert [(field.number, field.box.x_start) for field in image.fields] == [(1, 0), (2, 42)]
    one, other = pictures_of(image)
    assert (one.name, other.name) == (f"{image.sop_uid}#1-1", f"{image.sop_uid}#1-2")
    assert read_picture(one)[1].spacing == pytest.approx((0.1, 0.1))
    np.testing.assert_array_equal(read_picture(other)[0][0], scan()[:, 42:80])


def test_regions_of_one_field_are_one_field(tmp_path: Path):
    image = read(tmp_path, region((10, 10, 40, 60), (0.02, 0.02)), region((5, 5, 50, 70), (0.0, 0.0)))
    (field,) = image.fields
    assert field.box == Box(5, 5, 51, 71)
    assert field.spacing == pytest.approx((0.2, 0.2))


def test_a_region_of_a_cropped_picture_is_cropped_and_one_of_a_smaller_copy_is_not_used(tmp_path: Path):
    cropped = read(tmp_path, region((10, 10, 200, 70), (0.02, 0.02)))
    assert cropped.fields[0].box == Box(10, 10, 60, 71)
    assert cropped.spacing == pytest.approx((0.2, 0.2))
    smaller = read(tmp_path, region((10, 10, 110, 150), (0.02, 0.02)))
    assert (smaller.fields[0].box, smaller.spacing) == (Box(0, 0, 60, 80), None)
    assert "larger picture" in smaller.remarks[0]


def test_regions_of_the_functional_groups(tmp_path: Path):
    description, group = Dataset(), Dataset()
    description.SequenceOfUltrasoundRegions = [region((10, 20, 49, 69))]
    group.USImageDescriptionSequence = [description]
    assert read(tmp_path, PerFrameFunctionalGroupsSequence=[group]).fields[0].box == Box(10, 20, 50, 70)


def test_pixels_that_are_not_square_are_remarked(tmp_path: Path):
    image = read(tmp_path, PixelAspectRatio=[3, 2])
    assert image.aspect == 1.5
    assert "its pixels are 1.5 times as high as wide, and of unknown size" in image.remarks


def test_whose_study_it_is_without_a_name(tmp_path: Path):
    image = read(tmp_path, Laterality="L", Manufacturer="Maker", ManufacturerModelName="Model 1")
    assert (image.laterality, image.device, image.study_uid) == ("left", "Maker Model 1", "1.2.3")
    assert "4711" not in repr(image)
    assert "Planted" not in repr(image)
    same, other = read(tmp_path, SeriesNumber=2), read(tmp_path, PatientID="4712")
    assert image.patient == same.patient != other.patient


def test_the_salt_makes_names_of_one_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = []
    for folder in ("one", "other"):
        monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path / folder))
        names.append(read(tmp_path).patient)
    assert names[0] != names[1]
    assert (tmp_path / "one" / "dicom-salt").stat().st_mode & 0o077 == 0


def test_a_patient_without_a_number_is_told_apart_by_the_study(tmp_path: Path):
    image, other = read(tmp_path, PatientID=""), read(tmp_path, PatientID="", StudyInstanceUID="1.2.4")
    assert image.patient != other.patient
    assert (image.patient_known, read(tmp_path).patient_known) == (False, True)


def test_a_long_clip_is_decoded_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No call of the decoder returns more than one frame, and none is made for another frame."""
    import pydicom.pixels.decoders.base as pydicom_decoders

    made = data_set(np.stack([scan(seed=seed) for seed in range(4)] * 200), frames=800)
    made.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    image = read_dicom(written(tmp_path, made))
    assert (image.frames, image.sop_class) == (800, "Ultrasound Multi-frame Image Storage")
    assert made.SOPClassUID == US_CLIP
    shapes = []
    decode = pydicom_decoders.Decoder.as_array

    def counted(self: object, *arguments: object, **options: object) -> object:
        found = decode(self, *arguments, **options)  # type: ignore[arg-type]
        shapes.append(found[0].shape)
        return found

    monkeypatch.setattr(pydicom_decoders.Decoder, "as_array", counted)
    last = list(pictures_of(image))[-1]
    np.testing.assert_array_equal(read_picture(last)[0][0], scan(seed=3))
    assert shapes == [(60, 80)]
