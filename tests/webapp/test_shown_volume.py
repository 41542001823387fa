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
from bustle.webapp.shown_volume import slice_picture, volume_info, write_outlined, write_shown

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
    (lesion,) = told.candidates
    assert lesion.centre == pytest.approx((14.5, 17.5, 21.5), abs=1.0)
    measured = {one.name: (one.value, one.unit) for one in lesion.values}
    assert measured["volume"] == (pytest.approx(10 * 12 * 16), "mm³")
    assert measured["width"] == (16, "mm")
    assert (lesion.words["echo_pattern"], lesion.touches_edge) == ("hyperechoic", False)
    outlined = read_numbers_volume(folder.volume("mask"))
    np.testing.assert_array_equal(outlined > 127, voxels > 100)
