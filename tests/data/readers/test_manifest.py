from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.data.sources import open_sources
from bustle.io.volume import write_volume


def write(folder: Path, text: str, *, encoding: str = "utf-8") -> str:
    (folder / "m.csv").write_text(text, encoding=encoding)
    return f"manifest:{folder / 'm.csv'}"


def test_every_column(tmp_path: Path, put, block):
    put("scans/one.png")
    put("outlines/one_lesion.png", block(5, 15, 5, 15))
    put("outlines/one_gland.png", block(0, 20, 0, 50))
    spec = write(
        tmp_path,
        "image,mask,gland,label,patient_id,case_id,spacing_mm,box,scanner\n"
        "scans/one.png,outlines/one_lesion.png,outlines/one_gland.png,MALIGNANT,p7,first,0.08,"
        "5 6 15 16; 1 2 3 4,GE\n",
    )
    collection = open_sources([spec])
    assert collection.findings == ()
    (case,) = collection.cases
    assert (case.case_id, case.label, case.patient_id, case.spacing) == (
        "manifest/first",
        "malignant",
        "p7",
        (0.08, 0.08),
    )
    assert (case.has_mask, case.has_gland, case.has_box) == (True, True, True)
    assert case.metadata == {"scanner": "GE"}
    sample = case.load()
    assert sample.boxes == ((5, 6, 15, 16), (1, 2, 3, 4))
    assert int((sample.lesion_mask > 0).sum()) == 100
    assert int(sample.gland_mask.sum()) == 1000


def test_image_column_alone_with_a_byte_order_mark(tmp_path: Path, put):
    put("a.png")
    put("deeper/b.jpg")
    spec = write(tmp_path, f"image\na.png\n{tmp_path / 'deeper' / 'b.jpg'}\n", encoding="utf-8-sig")
    collection = open_sources([spec])
    assert [case.case_id for case in collection.cases] == ["manifest/a", "manifest/b"]
    assert collection.findings == ()
    assert not any(case.has_mask or case.has_box or case.label for case in collection.cases)


def test_partial_labels_row_by_row(tmp_path: Path, put, block):
    for stem in "abcd":
        put(f"{stem}.png")
    put("a_mask.png", block(5, 15, 5, 15))
    spec = write(
        tmp_path, "image,mask,label,box\na.png,a_mask.png,,\nb.png,,benign,\nc.png,,,1 2 9 8\nd.png,,normal,\n"
    )
    collection = open_sources([spec])
    assert [(case.has_mask, case.label, case.has_box) for case in collection.cases] == [
        (True, None, False),
        (False, "benign", False),
        (False, None, True),
        (True, "normal", False),
    ]
    assert collection.findings == ()


def test_parquet(tmp_path: Path, put):
    put("a.png")
    put("b.png")
    put("c.png")
    table = pyarrow.table(
        {
            "image": ["a.png", "b.png", "c.png"],
            "label": ["benign", None, "Malignant"],
            "patient_id": [7.0, float("nan"), 8.0],  # as pandas writes whole numbers with gaps
            "spacing_mm": [0.1, float("nan"), 0.2],
            "acquired": [datetime.datetime(2020, 1, 2), None, datetime.datetime(2020, 1, 3)],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    cases = open_sources([f"manifest:{tmp_path / 'm.parquet'}"]).cases
    assert [case.label for case in cases] == ["benign", None, "malignant"]
    assert [case.patient_id for case in cases] == ["7", None, "8"]
    assert [case.spacing for case in cases] == [(0.1, 0.1), None, (0.2, 0.2)]
    assert json.dumps([dict(case.metadata) for case in cases]).startswith('[{"acquired": "2020-01-02')


def test_volumes_beside_images(tmp_path: Path, put):
    """A volume's own header says its spacing, whatever the table says."""
    put("flat.png")
    geometry = Geometry((6, 12, 10), spacing=(0.5, 0.1, 0.2))
    lesion = np.zeros(geometry.original_size, bool)
    lesion[1:3, 2:6, 3:7] = True
    write_volume(tmp_path / "scan.1.nii.gz", lesion * np.uint8(90), geometry=geometry)
    write_volume(tmp_path / "outline.nrrd", lesion, geometry=geometry)
    spec = write(tmp_path, "image,mask,label,spacing_mm\nflat.png,,,0.3\nscan.1.nii.gz,outline.nrrd,benign,0.3\n")
    flat, scan = open_sources([spec]).cases
    assert (flat.case_id, flat.spacing) == ("manifest/flat", (0.3, 0.3))
    assert scan.case_id == "manifest/scan.1"
    assert scan.spacing == pytest.approx((0.5, 0.1, 0.2))
    sample = scan.load()
    assert sample.image.shape == (1, 6, 12, 10)
    assert sample.geometry.spacing == pytest.approx((0.5, 0.1, 0.2))
    assert sample.lesion_labels == ("benign",)
    np.testing.assert_array_equal(sample.lesion_mask, lesion)
    with pytest.raises(
        InputError, match=r"m\.csv: line 2: 'scan\.1' is a volume with a box; boxes are for images, give a mask"
    ):
        open_sources([write(tmp_path, "image,box\nscan.1.nii.gz,1 2 3 4\n")])


def test_files_that_do_not_exist_are_findings(tmp_path: Path, put):
    put("a.png")
    put("b.png")
    spec = write(tmp_path, "image,mask\na.png,gone_mask.png\ngone.png,\nb.png,\n")
    collection = open_sources([spec])
    findings = {finding.kind: finding for finding in collection.findings}
    assert [case.case_id for case in collection.cases] == ["manifest/a", "manifest/b"]
    assert findings["image-without-mask"].case_ids == ("manifest/a",)
    assert "gone.png" in findings["row-without-image"].message
    assert not collection.cases[0].has_mask


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\na.png,benign\n", r"m\.csv: has no column 'image'; add the column; .* found are: file, label"),
        ("image\n", r"m\.csv: has no rows"),
        (
            "image\nb.png\nc.png\n",
            r"m\.csv: none of its images exist \(b\.png and 1 more\); write paths that are relative",
        ),
        ("image,label\n,benign\n", r"m\.csv: line 2: has no image"),
        (
            "image,label\na.png,\na.png,tumour\n",
            r"m\.csv: line 3: unknown class name 'tumour'; .*nown: benign, malignant",
        ),
        ("image,box\na.png,1 2 3\n", r"m\.csv: line 2: '1 2 3' is not a box; write y0 x0 y1 x1"),
        ("image,box\na.png,9 2 3 4\n", r"m\.csv: line 2: the box '9 2 3 4' is empty or negative"),
        ("image,box\na.png,1 2 3.5 4\n", r"is not a box"),
        ("image,spacing_mm\na.png,-0.1\n", r"line 2: '-0\.1' is not a pixel spacing"),
        ("image,spacing_mm\na.png,inf\n", r"'inf' is not a pixel spacing"),
        ("image,case_id\na.png,x\na.png,x\n", r"a\.png: case id 'manifest/x' occurs twice; give every case a name"),
        ("image,case_id\na.png,../x\n", r"'manifest/\.\./x' cannot be a case id"),
    ],
)
def test_broken_manifests(tmp_path: Path, put, text: str, said: str):
    put("a.png")
    with pytest.raises(InputError, match=said) as caught:
        open_sources([write(tmp_path, text)])
    assert "\n" not in str(caught.value)


def test_what_is_no_manifest(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder; give the manifest file itself"):
        open_sources([f"manifest:{tmp_path}"])
    with pytest.raises(InputError, match="needs a file"):
        open_sources(["manifest:"])
    (tmp_path / "m.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match=r"m\.parquet: is not a readable Parquet file"):
        open_sources([f"manifest:{tmp_path / 'm.parquet'}"])
    (tmp_path / "m.csv").write_bytes(b"image\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"m\.csv: is not text in UTF-8"):
        open_sources([f"manifest:{tmp_path / 'm.csv'}"])
