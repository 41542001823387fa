"""Tables in the forms in which people save them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import openpyxl
import pytest

from bustle.core.errors import InputError
from bustle.io.names import NameIndex, file_below
from bustle.io.tables import read_table, table_named

PLAIN = "case_id,label,spacing_mm\nä1,benign,0.08\nb2,malignant,0.1\n"


def saved(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_encodings(tmp_path: Path, encoding: str, delimiter: str):
    text = PLAIN.replace(",", delimiter)
    if delimiter != ",":
        text = text.replace("0.08", "0,08")
    table = read_table(saved(tmp_path / "a.csv", text, encoding=encoding), required=("case_id",))
    assert table.rows[0] == {"case_id": "ä1", "label": "benign", "spacing_mm": "0.08"}
    assert (table.lines, len(table.rows)) == ((2, 3), 2)
    assert bool(table.doubt) == (encoding == "latin-1")


def test_the_separator_line_of_excel_is_no_header(tmp_path: Path):
    table = read_table(saved(tmp_path / "a.csv", "sep=;\r\ncase_id;x\r\na;0,5 0,25\r\n"))
    assert table.rows == ({"case_id": "a", "x": "0.5 0.25"},)
    assert table.lines == (3,)


def test_commas_between_columns_are_not_decimal(tmp_path: Path):
    table = read_table(saved(tmp_path / "a.csv", 'case_id,x\na,"1,5"\n'))
    assert table.rows[0]["x"] == "1,5"


def test_column_names_in_any_case_and_spelling(tmp_path: Path):
    path = saved(tmp_path / "a.csv", "Case ID,LABEL,Patient-Id,Scanner Name\na,benign,7,X\n")
    table = read_table(path, required=("case_id", "label"), optional=("patient_id",))
    assert table.rows == ({"case_id": "a", "label": "benign", "patient_id": "7", "Scanner Name": "X"},)
    path = saved(tmp_path / "b.csv", "label,Label\na,b\n")
    with pytest.raises(InputError, match=r"b\.csv: has the column 'label' twice"):
        read_table(path, required=("label",))


@pytest.mark.parametrize("word", ["NA", "n/a", "nan", "NaN", "NULL", "None", "<NA>", "-", "unknown"])
def test_words_for_no_value_are_absent_and_counted(tmp_path: Path, word: str):
    path = saved(tmp_path / "a.csv", f"case_id,patient_id\na,{word}\nb,7\n")
    table = read_table(path, required=("case_id",), optional=("patient_id",))
    assert [row["patient_id"] for row in table.rows] == ["", "7"]
    assert table.missing == {"patient_id": 1}
    assert read_table(path, blank_missing=False).rows[0]["patient_id"] == word


def test_a_line_that_is_too_long_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"a\.csv: line 3 has more values than columns"):
        read_table(saved(tmp_path / "a.csv", "case_id,spacing_mm\na,1\nb,0,08\n"))
    assert read_table(saved(tmp_path / "b.csv", "case_id,x\na,1,,\n")).rows == ({"case_id": "a", "x": "1"},)


def test_a_spreadsheet_is_read_whatever_its_name(tmp_path: Path):
    book = openpyxl.Workbook()
    book.active.append(["Case_ID", "label"])
    book.active.append([7, "benign"])
    book.save(tmp_path / "labels.xlsx")
    (tmp_path / "labels.xlsx").rename(tmp_path / "labels.csv")
    assert read_table(tmp_path / "labels.csv", required=("case_id",)).rows == ({"case_id": 7, "label": "benign"},)


def test_what_is_no_table_is_one_line(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(InputError, match=r"a\.csv: is an old Excel file \(\.xls\); save it as \.xlsx or as CSV"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"case_id,label\n" + bytes(range(256)) * 4)
    with pytest.raises(InputError, match=r"b\.csv: is not text; save it as CSV"):
        read_table(tmp_path / "b.csv")


def test_a_table_may_have_any_ending_and_stands_once(tmp_path: Path):
    assert table_named(tmp_path, "labels") is None
    saved(tmp_path / "labels.tsv", "case_id\tlabel\n")
    assert table_named(tmp_path, "labels") == tmp_path / "labels.tsv"
    saved(tmp_path / "labels.csv", "case_id,label\n")
    with pytest.raises(InputError, match=r"labels\.csv: is there again as labels\.tsv; keep one of them"):
        table_named(tmp_path, "labels")


def test_names_are_one_in_either_unicode_form_with_and_without_ending_and_folders():
    composed, apart = (unicodedata.normalize(form, "Größe é") for form in ("NFC", "NFD"))
    index = NameIndex([f"site/{apart}", "site/b.1", "other/c", "site/c"])
    for text in (
        composed,
        f"{composed}.png",
        f"site/{composed}",
        f"images\\{composed}.PNG",
        f"C:\\x\\{apart}.nii.gz",
    ):
        assert index.find(text) == [f"site/{apart}"]
    assert index.find("b.1") == ["site/b.1"]
    assert index.find("b.1.tif") == ["site/b.1"]
    assert index.find("c") == ["other/c", "site/c"]
    assert index.find("site/c") == ["site/c"]
    assert index.find("elsewhere/c") == []


def test_files_are_found_by_the_paths_of_other_machines(tmp_path: Path):
    (tmp_path / "images").mkdir()
    name = unicodedata.normalize("NFD", "é.png")
    file = saved(tmp_path / "images" / name, "x")
    composed = unicodedata.normalize("NFC", name)
    for text in (
        f"images/{composed}",
        f"images\\{composed}",
        f"D:\\set\\images\\{composed}",
        f"/home/me/images/{name}",
    ):
        assert file_below(tmp_path, text).samefile(file)
    assert file_below(tmp_path, "images/gone.png") == tmp_path / "images" / "gone.png"
