"""The TDSC-ABUS 2023 layout, made small; the published headers state 1 mm along every axis."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.data.readers.tdsc_abus import SPACING_MM
from bustle.data.sources import open_sources
from bustle.io.volume import write_volume

SIZE = (6, 12, 10)


def write_set(root: Path, *, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Path:
    geometry = Geometry(SIZE, spacing=spacing)
    rng = np.random.default_rng(0)
    lesion = np.zeros(SIZE, np.uint8)
    lesion[2:4, 3:8, 2:6] = 1
    for number in (0, 1, 2):
        voxels = rng.integers(0, 256, SIZE, np.uint8)
        write_volume(root / "DATA" / f"DATA_{number:03d}.nrrd", voxels, geometry=geometry)
        if number < 2:
            write_volume(root / "MASK" / f"MASK_{number:03d}.nrrd", lesion, geometry=geometry)
    (root / "labels.csv").write_text(
        "case_id,label,data_path,mask_path\n"
        "0,M,DATA\\DATA_000.nrrd,MASK\\MASK_000.nrrd\n1,B,DATA\\DATA_001.nrrd,MASK\\MASK_001.nrrd\n7,B,x,y\n"
    )
    (root / "bbx_labels.csv").write_text("id,c_x,c_y,c_z,len_x,len_y,len_z\n0,2.5,5,3.5,2,5,4\n")
    return root


def test_the_published_layout(tmp_path: Path):
    collection = open_sources([f"tdsc-abus:{write_set(tmp_path)}"])
    first, second, third = collection.cases
    assert [case.case_id for case in collection.cases] == [f"tdsc-abus/DATA_{n:03d}" for n in range(3)]
    assert [case.label for case in collection.cases] == ["malignant", "benign", None]
    assert [case.has_mask for case in collection.cases] == [True, True, False]
    assert first.spacing == SPACING_MM
    assert first.metadata == {"c_x": 2.5, "c_y": 5.0, "c_z": 3.5, "len_x": 2.0, "len_y": 5.0, "len_z": 4.0}
    assert second.metadata == {}
    sample = first.load()
    assert sample.image.shape == (1, *SIZE)
    assert sample.geometry.spacing == SPACING_MM
    assert sample.lesion_mask is not None
    assert sample.lesion_mask.sum() == 40
    assert sample.lesion_labels == ("malignant",)
    assert third.load().lesion_mask is None
    assert {finding.kind for finding in collection.findings} == {
        "image-without-row",
        "image-without-mask",
        "row-without-image",
    }


def test_a_header_with_a_spacing_of_its_own_is_believed(tmp_path: Path):
    (case, *_) = open_sources([f"tdsc-abus:{write_set(tmp_path, spacing=(0.5, 0.1, 0.3))}"]).cases
    assert case.spacing == pytest.approx((0.5, 0.1, 0.3))
    assert case.load().geometry.spacing == pytest.approx((0.5, 0.1, 0.3))


def test_wrong_tables_are_named(tmp_path: Path):
    root = write_set(tmp_path)
    (root / "labels.csv").write_text("case_id,label\n0,X\n")
    with pytest.raises(InputError, match=r"labels.csv: unknown label 'X'; labels are M and B"):
        open_sources([f"tdsc-abus:{root}"])
    (root / "labels.csv").write_text("case_id,label\nzero,M\n")
    with pytest.raises(InputError, match=r"labels.csv: 'zero' ends in no number"):
        open_sources([f"tdsc-abus:{root}"])
    (root / "labels.csv").write_text("case_id,label\n0,M\n00,B\n")
    with pytest.raises(InputError, match=r"labels.csv: case 0 occurs twice"):
        open_sources([f"tdsc-abus:{root}"])
    (root / "labels.csv").write_text("case_id,label\n0,M\n")
    (root / "bbx_labels.csv").write_text("id,c_x,c_y,c_z,len_x,len_y,len_z\n0,2.5,5,wide,2,5,4\n")
    with pytest.raises(InputError, match=r"bbx_labels.csv: the box of case 0 is not six numbers"):
        open_sources([f"tdsc-abus:{root}"])


def test_volumes_alone_are_cases(tmp_path: Path):
    """As the challenge's test set was given to its participants."""
    root = write_set(tmp_path)
    shutil.rmtree(root / "MASK")
    (root / "labels.csv").unlink()
    (root / "bbx_labels.csv").unlink()
    collection = open_sources([f"tdsc-abus:{root}?name=test"])
    assert [case.case_id for case in collection.cases] == ["test/DATA_000", "test/DATA_001", "test/DATA_002"]
    assert [(case.label, case.has_mask) for case in collection.cases] == [(None, False)] * 3
    assert [finding.kind for finding in collection.findings] == ["missing-table"]


def test_another_layout_and_a_mask_on_another_grid(tmp_path: Path):
    with pytest.raises(InputError, match="has no folder DATA/"):
        open_sources([f"tdsc-abus:{tmp_path}"])
    root = write_set(tmp_path)
    small = Geometry((6, 12, 9), spacing=(1.0, 1.0, 1.0))
    write_volume(root / "MASK" / "MASK_000.nrrd", np.ones(small.original_size, np.uint8), geometry=small)
    collection = open_sources([f"tdsc-abus:{root}"])
    (finding,) = [finding for finding in collection.findings if finding.kind == "mask-size-mismatch"]
    assert finding.case_ids == ("tdsc-abus/DATA_000",)
    with pytest.raises(InputError, match=r"MASK_000.nrrd: is 6 x 12 x 9 voxels, its volume 6 x 12 x 10; resample"):
        collection.cases[0].load()
