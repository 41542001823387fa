"""The real files of ../shared/data/dicom against pydicom's plain full decode and what `manifest.csv` says."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels import apply_color_lut, apply_voi_lut

from bustle.io.dicom.frames import Frames
from bustle.io.dicom.header import read_header
from bustle.io.dicom.image import read_dicom
from bustle.io.dicom.pictures import pictures_of, read_picture

NAMES = [
    "ExplVR_BigEnd",
    "GREYSCALE_IMAGE",
    "JPGLosslessP14SV1_1s_1f_8b",
    "OBXXXX1A_rle_2frame",
    "RGB_IMAGE",
    "US-PAL-8-10x-echo",
    "US1_J2KI",
    "YBR_422",
    "examples_jpeg2k",
    "examples_palette",
    "examples_rgb_color",
    "examples_ybr_color",
    "no-pixel-spacing",
]

SMALLER_COPY = "examples_ybr_color"
"""Scanned at 640 x 480 and stored at half of it, with the regions as they were: its depth of 19 cm says so."""


@pytest.fixture(scope="module")
def rows(real_data: Path) -> dict[str, dict[str, str]]:
    with (real_data / "dicom" / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return {row["local"].removesuffix(".dcm"): row for row in csv.DictReader(stream)}


def decoded_at_once(path: Path) -> NDArray[np.uint8]:
    """All frames `N H W 3` as pydicom's plain loop has them, brought to 8 bits of grey or colour."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset) >> 8
        elif "WindowCenter" in dataset and dataset.SamplesPerPixel == 1:
            shown = apply_voi_lut(pixels, dataset)
            pixels = np.round(shown).astype(np.uint8)
    if dataset.SamplesPerPixel == 1 and dataset.PhotometricInterpretation != "PALETTE COLOR":
        pixels = np.repeat(pixels[..., None], 3, axis=-1)
    return np.asarray(pixels if "NumberOfFrames" in dataset else pixels[None], np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_is_that_of_the_plain_full_decode(name: str, real_data: Path):
    path = real_data / "dicom" / f"{name}.dcm"
    expected = decoded_at_once(path)
    frames = Frames(read_header(path))
    assert frames.count == len(expected)
    for number in (1, frames.count, frames.count // 2 + 1):
        found = frames.picture(number)
        wanted = expected[number - 1].transpose(2, 0, 1)
        if found.shape[0] == 1:
            assert (wanted == wanted[:1]).all()
        np.testing.assert_array_equal(found, wanted[: found.shape[0]])


@pytest.mark.parametrize("name", NAMES)
def test_regions_and_spacing_are_those_of_the_manifest(name: str, real_data: Path, rows: dict[str, dict[str, str]]):
    image = read_dicom(real_data / "dicom" / f"{name}.dcm")
    row = rows[name]
    assert image.size == (int(row["rows"]), int(row["cols"]))
    assert image.frames == int(row["frames"] or 1)
    stated = json.loads(row["regions(format,datatype,unitsX,dX,dY)"])
    if name == SMALLER_COPY:
        assert (image.regions, image.spacing) == ((), None)
        assert any("larger picture" in remark for remark in image.remarks)
        return
    assert len(image.regions) == len(stated)
    used = [region for region in image.regions if region.ignored is None]
    assert len(used) == sum(layout == 1 and kind == 1 for layout, kind, *_ in stated)
    for region, (_, _, units, across, down) in zip(image.regions, stated, strict=True):
        if region.ignored is None:
            assert units == 3
            assert region.spacing == pytest.approx((10 * down, 10 * across))
            assert image.spacing == region.spacing
    if not used:
        assert image.spacing is None
        assert image.fields[0].box == (0, 0, *image.size)


def test_the_picture_of_a_region_is_cut_out_of_its_frame(real_data: Path):
    image = read_dicom(real_data / "dicom" / "OBXXXX1A_rle_2frame.dcm")
    pictures = list(pictures_of(image))
    assert [picture.name for picture in pictures] == [f"{image.sop_uid}#1", f"{image.sop_uid}#2"]
    pixels, geometry = read_picture(pictures[1])
    whole = Frames(read_header(image.path)).picture(2)
    np.testing.assert_array_equal(pixels, whole[:, 60:519, 120:800])
    assert geometry.original_size == (459, 680)
    assert geometry.spacing == pytest.approx((0.262288, 0.262288), rel=1e-5)
