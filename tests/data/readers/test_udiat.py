from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from bustle.core.errors import InputError
from bustle.data.sources import open_sources


@pytest.fixture
def spec(tmp_path: Path, put, block) -> str:
    for number in (1, 2, 310):
        put(f"original/{number:06d}.png")
        put(f"GT/{number:06d}.png", block(5, 5 + number % 9, 5, 15))
    write_table(tmp_path, [(1, "Benign"), (2, "Malignant"), (310, "Malignant")])
    return f"udiat:{tmp_path}"


def write_table(folder: Path, rows: list[tuple], *, header: tuple[str, str] = ("Image", "Type")) -> None:
    book = openpyxl.Workbook()
    for row in (header, *rows):
        book.active.append(row)
    book.save(folder / "DatasetB.xlsx")


def test_layout(spec: str, block):
    collection = open_sources([spec])
    assert [(case.case_id, case.label) for case in collection.cases] == [
        ("udiat/000001", "benign"),
        ("udiat/000002", "malignant"),
        ("udiat/000310", "malignant"),
    ]
    assert collection.findings == ()
    sample = collection.cases[1].load()
    np.testing.assert_array_equal(sample.lesion_mask, block(5, 7, 5, 15) > 0)
    assert sample.lesion_labels == ("malignant",)


@pytest.mark.parametrize("name", ["000001", "000001.png"])
def test_the_table_may_name_files(tmp_path: Path, spec: str, name: str):
    write_table(tmp_path, [(name, "malignant")])
    assert open_sources([spec]).cases[0].label == "malignant"


def test_what_does_not_match_is_a_finding(tmp_path: Path, spec: str, put):
    write_table(tmp_path, [(1, "Benign"), (77, "Benign"), (310, "Malignant")])
    (tmp_path / "GT" / "000310.png").unlink()
    put("GT/000099.png")
    collection = open_sources([spec])
    assert {finding.kind: finding.case_ids for finding in collection.findings} == {
        "image-without-mask": ("udiat/000310",),
        "image-without-row": ("udiat/000002",),
        "mask-without-image": (),
        "row-without-image": (),
    }
    assert [case.has_mask for case in collection.cases] == [True, True, False]


def test_without_the_table_the_cases_have_no_class(tmp_path: Path, spec: str):
    (tmp_path / "DatasetB.xlsx").unlink()
    collection = open_sources([spec])
    assert {case.label for case in collection.cases} == {None}
    assert "missing-table" in {finding.kind for finding in collection.findings}


def test_broken_layout(tmp_path: Path, spec: str):
    write_table(tmp_path, [(1, "Benign")], header=("Image", "Class"))
    with pytest.raises(InputError, match=r"DatasetB\.xlsx: has no column 'Type'; add the column; .*: Image, Class"):
        open_sources([spec])
    write_table(tmp_path, [(1, "Cyst")])
    with pytest.raises(InputError, match=r"DatasetB\.xlsx: unknown class name 'Cyst'; .*benign, malignant, normal"):
        open_sources([spec])
    for file in (tmp_path / "original").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"original: holds no images"):
        open_sources([spec])
    (tmp_path / "original").rmdir()
    with pytest.raises(InputError, match="has no folder original/"):
        open_sources([spec])
