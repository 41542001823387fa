from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData
from bustle.core.types import Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.grid import grid_for
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.experiments.pictures import DESCRIBED_LESIONS, picture_of_array, read_picture, write_files
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.prediction_record import read_record


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
    prediction = Prediction(
        "a",
        grid.geometry,
        grid.mapping,
        segmentation=drawn,
        class_probabilities=None,
        decision=None,
        provenance=MADE_MODEL,
    )
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
