from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from bustle.core.errors import InputError
from bustle.data.sources import open_sources

FOLDER = "BrEaST-Lesions_USG-images_and_masks"


def write_table(
    path: Path, rows: list[tuple], *, header=("CaseID", "Image_filename", "Pixel_size", "BIRADS", "Classification")
):
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    book.save(path)


def rgba(mask: np.ndarray) -> np.ndarray:
    return np.dstack([mask] * 4)


def test_real_sample(real_data: Path):
    collection = open_sources([f"breast:{real_data / 'breast'}"])
    cases = {case.case_id: case for case in collection.cases}
    assert Counter(case.label for case in cases.values()) == {"benign": 22, "malignant": 14, "normal": 4}
    assert collection.findings == ()
    assert len({case.patient_id for case in cases.values()}) == 40
    assert all(case.spacing and 0.03 < case.spacing[0] == case.spacing[1] < 0.2 for case in cases.values())
    channels = Counter()
    for case in cases.values():
        sample = case.load()
        assert sample.lesion_mask is not None
        assert bool(sample.lesion_mask.any()) == (case.label != "normal")
        assert case.has_mask
        channels[sample.image.shape[0]] += 1
    assert channels == {1: 34, 3: 6}


def test_real_case_with_other_structures(real_data: Path):
    cases = open_sources([f"breast:{real_data / 'breast'}"]).cases
    case = next(case for case in cases if case.case_id == "breast/case022")
    assert case.spacing == pytest.approx((0.078125, 0.078125))
    assert case.metadata["birads"] == "4b"
    assert case.metadata["shape"] == "oval"
    assert case.metadata["margin"] == "circumscribed"
    assert case.metadata["echogenicity"] == "hypoechoic"
    assert case.metadata["posterior_features"] == "no"
    sample = case.load()
    assert sample.image.shape == (3, 538, 831)
    assert int((sample.lesion_mask > 0).sum()) == 13111
    assert {name: int(mask.sum()) for name, mask in sample.other_masks.items()} == {"other1": 825, "other2": 5595}


def test_small_set(tmp_path: Path, put, block):
    first, second = block(2, 9, 2, 9), block(20, 30, 20, 30)
    put(f"{FOLDER}/case001.png")
    put(f"{FOLDER}/case001_tumor1.png", rgba(first))
    put(f"{FOLDER}/case001_tumor2.png", rgba(second))
    put(f"{FOLDER}/case002.png")
    put(f"{FOLDER}/case003.png")
    put(f"{FOLDER}/case004.png")
    put(f"{FOLDER}/case009_tumor.png", rgba(first))
    rows = [
        (1, "case001.png", 0.007, "4a", "malignant"),
        (2, "case002.png", 0.008, 1, "normal"),
        (3, "case003.png", "not available", "not available", "benign"),
        (5, "case005.png", 0.01, 2, "benign"),
        (6, "case006.png", 0.01, 2, "benign"),
    ]
    write_table(tmp_path / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx", rows)
    collection = open_sources([f"breast:{tmp_path}"])
    cases = {case.case_id.removeprefix("breast/"): case for case in collection.cases}
    assert list(cases) == ["case001", "case002", "case003", "case004"]
    sample = cases["case001"].load()
    np.testing.assert_array_equal(sample.lesion_mask, (first > 0) * 1 + (second > 0) * 2)
    assert sample.lesion_labels == ("malignant", "malignant")
    assert sample.geometry.spacing == pytest.approx((0.07, 0.07))
    assert cases["case002"].has_mask
    assert not cases["case002"].load().lesion_mask.any()
    assert cases["case002"].metadata["birads"] == "1"
    assert cases["case003"].spacing is None
    assert cases["case003"].metadata["birads"] is None
    findings = {finding.kind: finding for finding in collection.findings}
    assert findings["image-without-mask"].case_ids == ("breast/case003", "breast/case004")
    assert findings["image-without-row"].case_ids == ("breast/case004",)
    assert "case009_tumor.png" in findings["mask-without-image"].message
    assert "2 rows" in findings["row-without-image"].message
    inner = open_sources([f"breast:{tmp_path / FOLDER}"])
    assert [case.case_id for case in inner.cases] == [case.case_id for case in collection.cases]


def test_broken_tables(tmp_path: Path, put):
    put(f"{FOLDER}/case001.png")
    with pytest.raises(InputError, match=r"has no clinical table .*; put it beside the folder of the images"):
        open_sources([f"breast:{tmp_path}"])
    table = tmp_path / "clinical-data.xlsx"
    table.write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(InputError, match=r"clinical-data\.xlsx: is not a readable Excel file"):
        open_sources([f"breast:{tmp_path}"])
    write_table(table, [], header=("CaseID", "Image_filename", "Pixel_size"))
    with pytest.raises(InputError, match=r"clinical-data\.xlsx: has no column 'Classification'"):
        open_sources([f"breast:{tmp_path}"])
    write_table(table, [(1, "case001.png", "wide", 2, "benign")])
    with pytest.raises(InputError, match=r"clinical-data\.xlsx: 'wide' is not a pixel spacing"):
        open_sources([f"breast:{tmp_path}"])


def test_empty_folder(tmp_path: Path):
    with pytest.raises(InputError, match="holds no images"):
        open_sources([f"breast:{tmp_path}"])
