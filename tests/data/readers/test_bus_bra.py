from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bustle.core.errors import InputError
from bustle.data.sources import open_sources

HEADER = "ID,Case,Histology,Pathology,BIRADS,Device,Width,Height,Side,BBOX\n"


def small_set(folder: Path, put, block, *, rows: str, header: str = HEADER) -> str:
    for stem in ("0001-l", "0001-r"):
        put(f"Images/bus_{stem}.png")
        put(f"Masks/mask_{stem}.png", block(10, 20, 5, 25))
    (folder / "bus_data.csv").write_text(header + rows, encoding="utf-8")
    return f"bus-bra:{folder}"


ROWS = (
    'bus_0001-l,1,cyst,benign,2,GE,50,40,left,"[6,11,19,9]"\n'
    'bus_0001-r,1,cyst,Benign ,2,GE,50,41,right,"[6,11,19,9]"\n'
)


def test_real_part(real_data: Path):
    """Against the publishers' own table, read by itself: parts of the data set of any size may be at hand."""
    folder = real_data / "bus-bra"
    with (folder / "bus_data.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    with (folder / "5-fold-cv.csv").open(encoding="utf-8") as table:
        fold_of = {row["ID"]: int(row["kFold"]) - 1 for row in csv.DictReader(table)}
    collection = open_sources([f"bus-bra:{folder}?folds=official"])
    cases = {case.case_id.removeprefix("bus-bra/"): case for case in collection.cases}
    assert cases.keys() == {row["ID"] for row in rows}
    assert len(cases) > 700
    for row in rows:
        case = cases[row["ID"]]
        assert (case.label, case.patient_id) == (row["Pathology"], row["Case"])
        assert case.official_fold == fold_of[row["ID"]]
        assert (case.metadata["birads"], case.metadata["side"]) == (row["BIRADS"], row["Side"])
    assert len({case.metadata["device"] for case in cases.values()}) == 4
    assert len({(case.patient_id, case.official_fold) for case in cases.values()}) == len({r["Case"] for r in rows})
    sizes = {row["ID"]: Image.open(folder / "Images" / f"{row['ID']}.png").size for row in rows}
    wrong = [row["ID"] for row in rows if (int(row["Width"]), int(row["Height"])) != sizes[row["ID"]]]
    assert [(finding.kind, finding.case_ids) for finding in collection.findings] == [
        ("size-mismatch", (f"bus-bra/{name}",)) for name in wrong
    ]
    (message,) = (finding.message for finding in collection.findings if "bus_0857-r" in finding.message)
    assert "384 x 409" in message
    assert "384 x 393" in message
    assert cases["bus_0857-r"].load().image.shape == (1, 393, 384)


def test_boxes_enclose_the_lesions(real_data: Path):
    cases = open_sources([f"bus-bra:{real_data / 'bus-bra'}"]).cases
    assert {case.official_fold for case in cases} == {None}
    for case in cases[::60]:
        sample = case.load()
        assert sample.lesion_mask is not None
        assert sample.boxes is not None
        rows, columns = np.nonzero(sample.lesion_mask)
        assert sample.boxes == ((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1),)


def test_small_set(tmp_path: Path, put, block):
    collection = open_sources([small_set(tmp_path, put, block, rows=ROWS)])
    first, second = collection.cases
    assert (first.case_id, first.patient_id, first.label) == ("bus-bra/bus_0001-l", "1", "benign")
    assert second.label == "benign"
    assert first.load().boxes == ((10, 5, 20, 25),)
    assert [(finding.kind, finding.case_ids) for finding in collection.findings] == [
        ("size-mismatch", ("bus-bra/bus_0001-r",))
    ]


def test_rows_and_files_that_do_not_match_are_findings(tmp_path: Path, put, block):
    rows = ROWS.splitlines(keepends=True)[0] + 'bus_0009-l,9,cyst,benign,2,GE,50,40,left,"[6,11,19,9]"\n'
    spec = small_set(tmp_path, put, block, rows=rows)
    (tmp_path / "Masks" / "mask_0001-l.png").unlink()
    put("Masks/mask_0008-l.png")
    collection = open_sources([spec])
    assert {finding.kind: finding.case_ids for finding in collection.findings} == {
        "image-without-mask": ("bus-bra/bus_0001-l",),
        "image-without-row": ("bus-bra/bus_0001-r",),
        "mask-without-image": (),
        "row-without-image": (),
    }
    assert collection.cases[1].label is None
    assert collection.cases[1].patient_id is None


def test_official_folds(tmp_path: Path, put, block):
    spec = small_set(tmp_path, put, block, rows=ROWS)
    (tmp_path / "10-fold-cv.csv").write_text("ID,Pathology,kFold,valid_1\nbus_0001-l,benign,10,NaN\n")
    collection = open_sources([f"{spec}?folds=official10"])
    assert [case.official_fold for case in collection.cases] == [9, None]
    assert ("image-without-fold", ("bus-bra/bus_0001-r",)) in {(f.kind, f.case_ids) for f in collection.findings}
    with pytest.raises(InputError, match=r"5-fold-cv\.csv: no such file"):
        open_sources([f"{spec}?folds=official"])
    with pytest.raises(InputError, match="unknown folds 'offical'; did you mean official"):
        open_sources([f"{spec}?folds=offical"])
    (tmp_path / "5-fold-cv.csv").write_text("ID,kFold\nbus_0001-l,NaN\n")
    with pytest.raises(InputError, match=r"5-fold-cv\.csv: the kFold of bus_0001-l is 'NaN'"):
        open_sources([f"{spec}?folds=official"])


def test_broken_tables(tmp_path: Path, put, block):
    spec = small_set(tmp_path, put, block, rows=ROWS, header=HEADER.replace("Case,", ""))
    with pytest.raises(
        InputError, match=r"bus_data\.csv: has no column 'Case'; add the column; .* found are: ID, Hist"
    ):
        open_sources([spec])
    small_set(tmp_path, put, block, rows=ROWS.replace("benign", "benigm"))
    with pytest.raises(InputError, match=r"bus_data\.csv: unknown class name 'benigm'; did you mean benign"):
        open_sources([spec])
    small_set(tmp_path, put, block, rows=ROWS.replace("[6,11,19,9]", "[6,11]"))
    with pytest.raises(InputError, match=r"bus_data\.csv: the BBOX of bus_0001-l is '\[6,11\]'"):
        open_sources([spec])
    (tmp_path / "bus_data.csv").unlink()
    with pytest.raises(InputError, match=r"bus_data\.csv: no such file"):
        open_sources([spec])


def test_missing_folder(tmp_path: Path):
    with pytest.raises(InputError, match="has no folder Images/"):
        open_sources([f"bus-bra:{tmp_path}"])
