"""Masks that do not only say inside and outside."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.inference.prediction_files import read_prediction
from bustle.io.raster import is_grey_mask, read_instance_map, read_mask, read_predicted_mask
from bustle.io.volume import (
    is_grey_mask_volume,
    read_instance_volume,
    read_mask_volume,
    read_predicted_volume,
    write_volume,
)

GEOMETRY = Geometry((10, 40, 40), spacing=(1.0, 1.0, 1.0))


def disk(size: int = 96, radius: float = 20.0) -> np.ndarray:
    """The true outline, bool."""
    y, x = np.ogrid[:size, :size]
    return (y - 47.3) ** 2 + (x - 50.1) ** 2 < radius**2


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def blurred(truth: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(truth.astype(np.uint8) * 255, (0, 0), 4)


def once_jpeg(truth: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", truth.astype(np.uint8) * 255, [1, 60])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize("spoil", [blurred, once_jpeg, lambda truth: blurred(truth) // 2])
def test_a_mask_with_soft_edges_keeps_its_area(tmp_path: Path, spoil):
    truth = disk()
    cv2.imwrite(str(tmp_path / "a.png"), spoil(truth))
    for mask in (read_mask(tmp_path / "a.png"), read_instance_map(tmp_path / "a.png") > 0):
        assert dice(mask, truth) > 0.98
    assert is_grey_mask(tmp_path / "a.png")


def test_a_coloured_mask_with_soft_edges_keeps_its_area(tmp_path: Path):
    truth = disk()
    grey = blurred(truth)
    Image.fromarray(np.dstack([grey, grey * 0, grey * 0, np.full_like(grey, 255)])).save(tmp_path / "a.png")
    assert dice(read_mask(tmp_path / "a.png"), truth) > 0.98


def test_greys_that_fill_areas_are_classes_and_not_edges(tmp_path: Path):
    classes = np.zeros((40, 40), np.uint8)
    classes[2:12, 2:12], classes[20:30, 20:30] = 60, 250
    cv2.imwrite(str(tmp_path / "a.png"), classes)
    assert np.array_equal(read_mask(tmp_path / "a.png"), classes > 0)
    assert not is_grey_mask(tmp_path / "a.png")


def test_steps_of_a_soft_edge_are_not_numbers_of_lesions(tmp_path: Path):
    ramp = np.zeros((40, 60), np.uint8)
    ramp[10:30, 5:45] = np.arange(1, 41)
    cv2.imwrite(str(tmp_path / "a.png"), ramp)
    assert read_instance_map(tmp_path / "a.png").max() == 1
    assert np.array_equal(read_mask(tmp_path / "a.png"), ramp >= 20)


def test_many_numbered_lesions_stay_numbered(tmp_path: Path):
    numbered = np.zeros((80, 80), np.uint8)
    numbered[:64, :64] = np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8), np.ones((8, 8), np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), numbered)
    assert np.array_equal(read_instance_map(tmp_path / "a.png"), numbered)


def test_predicted_probabilities_are_lesion_from_one_half(tmp_path: Path):
    truth = disk()
    probability = cv2.GaussianBlur(np.where(truth, 0.95, 0.04), (0, 0), 2)
    cv2.imwrite(str(tmp_path / "a.png"), np.round(probability * 255).astype(np.uint8))
    assert dice(read_prediction(tmp_path / "a.png").segmentation.mask, truth) > 0.99
    cv2.imwrite(str(tmp_path / "deep.png"), np.round(probability * 65535).astype(np.uint16))
    assert dice(read_predicted_mask(tmp_path / "deep.png"), truth) > 0.99
    (tmp_path / "case").mkdir()
    cv2.imwrite(str(tmp_path / "case" / "mask.png"), np.round(probability * 255).astype(np.uint8))
    assert dice(read_prediction(tmp_path / "case").segmentation.mask, truth) > 0.99


def test_probabilities_below_one_half_are_no_lesion(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), blurred(disk()) // 4)
    assert not read_predicted_mask(tmp_path / "a.png").any()


@pytest.mark.parametrize(("value", "lesion"), [(0, False), (10, False), (1, True), (200, True), (255, True)])
def test_one_probability_everywhere_is_lesion_from_one_half(tmp_path: Path, value: int, lesion: bool):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20), value, np.uint8))
    assert (read_predicted_mask(tmp_path / "a.png") == lesion).all()


@pytest.mark.parametrize("outside", [0.001, -1.0])
def test_an_outside_that_is_not_zero_is_no_lesion(tmp_path: Path, outside: float):
    truth = np.zeros(GEOMETRY.original_size, bool)
    truth[3:6, 10:20, 10:20] = True
    path = tmp_path / "a.nrrd"
    write_volume(path, np.where(truth, np.float32(1), np.float32(outside)), geometry=GEOMETRY)
    for read in (read_mask_volume, read_predicted_volume):
        assert np.array_equal(read(path), truth)
    assert np.array_equal(read_instance_volume(path), truth)
    assert is_grey_mask_volume(path)


def test_a_predicted_volume_of_probabilities_is_cut_at_one_half(tmp_path: Path):
    probability = np.random.default_rng(0).random(GEOMETRY.original_size, np.float32) * np.float32(0.9)
    write_volume(tmp_path / "a.nrrd", probability, geometry=GEOMETRY)
    assert np.array_equal(read_prediction(tmp_path / "a.nrrd").segmentation.mask, probability >= 0.5)


def test_a_mask_of_no_numbers_is_refused(tmp_path: Path):
    values = np.zeros((20, 20), np.float32)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: holds values that are no numbers"):
        read_mask(tmp_path / "a.tif")
