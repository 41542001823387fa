from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData, PatchData
from bustle.core.types import Geometry, ImageSegmentation, LesionCandidate, Prediction, VolumeSegmentation
from bustle.data.phantom.volume_cases import phantom_volume
from bustle.data.prepared.grid import grid_for
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.experiments.pictures import DESCRIBED_LESIONS, Picture, picture_of_array, read_picture, write_files
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.prediction_record import VolumeRecord, read_record

SAYS_NOTHING: dict[str, Any] = {"class_probabilities": None, "decision": None, "provenance": MADE_MODEL}


def test_a_photograph_that_lies_on_its_side_is_predicted_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    Image.fromarray(np.sort(pixels, axis=0)).save(tmp_path / "a.jpg", exif=exif)
    picture = read_picture(tmp_path / "a.jpg", name="a")
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    np.testing.assert_array_equal(picture.image[0], upright)
    assert picture.geometry.original_size == (96, 64)


def test_each_lesion_that_is_written_has_its_own_descriptors(tmp_path: Path):
    """The large dark one with a shadow is the first; of many specks only the largest ones are described."""
    mask = np.zeros((120, 200), bool)
    mask[30:60, 60:120] = True
    mask[100:110:3, 5:60:4] = True
    grey = np.where(mask, 40, 120).astype(np.uint8)
    grey[64:, 70:110] = 50
    spacing = (0.2, 0.2)
    grid = grid_for(Geometry(mask.shape, spacing=spacing), section=ImageData(size=(32, 64)))
    probability = mask.astype(np.float32)
    lesions = measure_lesions(mask, probability, spacing=spacing)
    drawn = ImageSegmentation(probability, mask, network_mask=grid.mask_to_network(mask), lesions=lesions)
    prediction = Prediction("a", grid.geometry, grid.mapping, segmentation=drawn, **SAYS_NOTHING)
    folder = write_files(prediction, picture_of_array(grey, name="a", dims=2, spacing=spacing), tmp_path)
    first, *others = json.loads((folder / "prediction.json").read_text())["lesions"]
    described = first["descriptors"]
    assert described["values"]["area"] == pytest.approx(first["area"]) == pytest.approx(30 * 60 * 0.04)
    assert set(described["values"]) == {name for name, one in DEFINITIONS.items() if 2 in one.dims}
    assert described["words"]["posterior_features"] == "shadowing"
    assert described["words"]["echo_pattern"] == "hypoechoic"
    assert described["touches_edge"] is False
    assert [lesion["descriptors"] is not None for lesion in others].count(True) == DESCRIBED_LESIONS - 1
    record = read_record(folder / "prediction.json")
    assert record.drawn.lesions[0].descriptors.words.orientation == "parallel"


def written_volume(out: Path, voxels: np.ndarray, parts: np.ndarray, geometry: Geometry) -> VolumeRecord:
    """The record of two candidates, of which the surer one is smaller, and of a third of which nothing is drawn."""
    section = PatchData(size=(32, 32, 32), spacing_mm=1.0, channels=1, mean=(0.0,), std=(1.0,))
    grid = grid_for(geometry, section=section)
    candidates = [
        LesionCandidate((9.0, 9.0, 9.0), score, int((parts == number).sum()), 0.0, (0, 0, 0), (1, 1, 1), None)
        for number, score in ((1, 0.9), (2, 0.8), (3, 0.4))
    ]
    drawn = VolumeSegmentation(
        (parts > 0).astype(np.float32), parts, grid.mask_to_network(parts) > 0, tuple(candidates)
    )
    prediction = Prediction("v", grid.geometry, grid.mapping, segmentation=drawn, **SAYS_NOTHING)
    folder = write_files(prediction, Picture("v", voxels[None], geometry, None), out)
    record = read_record(folder / "prediction.json")
    assert isinstance(record, VolumeRecord)
    return record


def test_each_lesion_of_a_volume_has_its_own_descriptors_however_its_axes_are_stored(tmp_path: Path):
    """A phantom's lesion of a known volume is the second; then the same tissue with depth as the last axis."""
    made = phantom_volume(2, seed=0, coarse=6)
    assert made.lesion_mask is not None
    parts = np.where(made.lesion_mask > 0, 2, 0).astype(np.uint8)
    parts[4:6, 10:20, 5:9] = 1
    record = written_volume(tmp_path / "scanner", made.image[0], parts, made.geometry)
    small, large, nothing = record.drawn.candidates
    assert nothing.descriptors is None
    assert small.descriptors is not None
    assert large.descriptors is not None
    assert set(large.descriptors.values) - {"indistinct_share"} == {
        name for name, one in DEFINITIONS.items() if 3 in one.dims
    }
    assert large.descriptors.values["volume"] == pytest.approx(made.provenance["volume_mm3"], rel=0.02)
    assert small.descriptors.values["volume"] == pytest.approx(2 * 10 * 4 * np.prod(made.geometry.step))
    assert (large.descriptors.words.echo_pattern, large.descriptors.touches_edge) == ("hypoechoic", False)

    def turned(voxels: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.flip(voxels, (1, 2)).transpose(0, 2, 1))

    slices, rows, columns = made.geometry.original_size
    along, down, across = made.geometry.step
    last = (across * (columns - 1), down * (rows - 1), 0.0)
    ras = (0.0, -1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    stored = Geometry((slices, columns, rows), spacing=(along, across, down), origin=last, direction=ras)
    turned_record = written_volume(tmp_path / "turned", turned(made.image[0]), turned(parts), stored)
    for one, other in zip(record.drawn.candidates[:2], turned_record.drawn.candidates[:2], strict=True):
        assert one.descriptors is not None
        assert other.descriptors is not None
        assert other.descriptors.words == one.descriptors.words
        measured = {name: value for name, value in one.descriptors.values.items() if value is not None}
        again = {name: other.descriptors.values[name] for name in measured}
        assert again == pytest.approx(measured, rel=1e-9, abs=1e-9)
