"""The files by which a browser shows a volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import write_volume_package

from bustle.core.types import Geometry
from bustle.experiments.pictures import Picture
from bustle.inference.predictor import Predictor
from bustle.io.volume import read_header, read_numbers_volume, write_volume
from bustle.reading.picking import pick
from bustle.reading.predict_inputs import predict_inputs
from bustle.webapp import shown_volume
from bustle.webapp.data_folder import CaseFolder
from bustle.webapp.read_drop import VOLUME_REQUEST
from bustle.webapp.shown_volume import averaged, slice_picture, steps_to, volume_info, write_outlined, write_shown

SPACING = (0.5, 0.25, 1.0)


def test_a_volume_keeps_its_grid_and_becomes_coarser_towards_cubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shown_volume, "MOST_VOXELS", {"first": 200, "voxels": 10_000})
    voxels = np.random.default_rng(0).integers(0, 256, (9, 20, 10), np.uint8)
    picture = Picture("volume", voxels[None], Geometry(voxels.shape, spacing=SPACING), None)
    folder = CaseFolder(tmp_path)
    write_shown(folder, picture)
    whole = folder.volume("voxels")
    np.testing.assert_array_equal(read_numbers_volume(whole), voxels)
    assert read_header(whole).spacing == pytest.approx(SPACING)
    one = slice_picture(folder, 8)
    assert one is not None
    assert one.shape == (1, 20, 40)  # a pixel is 0.25 mm wide, a column 1 mm
    assert slice_picture(folder, 9) is None
    coarse = read_header(folder.volume("first"))
    assert coarse.size == (4, 5, 10)
    assert coarse.spacing == pytest.approx((1.0, 1.0, 1.0))
    assert volume_info(folder, "volume").model_dump() == {
        "size": voxels.shape,
        "spacing_mm": SPACING,
        "is_read": False,
        "has_mask": False,
        "candidates": [],
    }


def test_blocks_become_their_mean_and_what_is_left_over_is_cut_off():
    blocks = np.repeat(np.repeat(np.arange(8, dtype=np.uint8).reshape(2, 2, 2) * 10, 3, axis=1), 2, axis=2)
    noisy = np.concatenate([blocks - (blocks > 0), blocks + 1], axis=0)[[0, 2, 1, 3]]
    np.testing.assert_array_equal(averaged(noisy, steps=(2, 3, 2))[:, 0, 0], [0, 40])
    assert averaged(noisy[:3], steps=(2, 4, 3)).shape == (1, 1, 1)


def test_no_axis_is_given_up_for_the_others():
    assert steps_to(10, shape=(1, 1000, 1), spacing=np.ones(3)) == [1, 91, 1]


def test_candidates_and_mask_of_a_model_for_volumes_are_told(tmp_path: Path):
    voxels = np.full((40, 40, 40), 20, np.uint8)
    voxels[10:20, 12:24, 14:30] = 235
    write_volume(tmp_path / "scan.nrrd", voxels, geometry=Geometry(voxels.shape, spacing=(1.0, 1.0, 1.0)))
    model = Predictor.open(write_volume_package(tmp_path / "model.bustle"))
    folder = CaseFolder(tmp_path / "case")
    picture = Picture("scan", voxels[None], Geometry(voxels.shape, spacing=(1.0, 1.0, 1.0)), None)
    write_shown(folder, picture)
    predict_inputs(lambda: model, pick([str(tmp_path / "scan.nrrd")]), folder.answer, request=VOLUME_REQUEST)
    write_outlined(folder, "scan")
    told = volume_info(folder, "scan")
    assert (told.is_read, told.has_mask) == (True, True)
    assert told.candidates[0].centre == pytest.approx((14.5, 17.5, 21.5), abs=1.0)
    outlined = read_numbers_volume(folder.volume("mask"))
    np.testing.assert_array_equal(outlined > 127, voxels > 100)
