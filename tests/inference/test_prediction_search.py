"""Which predictions of cases lie below a directory, and class probabilities in a table beside them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.folder_names import portable_name
from bustle.core.types import Geometry, Prediction
from bustle.data.prepared.image_grid import ImageGrid
from bustle.inference.prediction_files import prediction_folder, read_prediction, write_prediction
from bustle.inference.prediction_search import find_predictions, read_class_table
from bustle.inference.stored_prediction import StoredImageMask
from bustle.io.raster import write_png

SIZE = (90, 120)


def own_prediction(case_id: str) -> Prediction:
    grid = ImageGrid.of(Geometry(SIZE), section=ImageData(size=(64, 64)))
    return Prediction(
        case_id=case_id,
        geometry=grid.geometry,
        mapping=grid.mapping,
        segmentation=None,
        class_probabilities={"benign": 0.25, "malignant": 0.75},
        decision="malignant",
        provenance=MADE_MODEL,
    )


def test_foreign_masks_are_found_in_every_form(tmp_path: Path):
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 10:20] = 7  # any non-zero value
    write_png(tmp_path / "plain.png", mask)
    write_png(tmp_path / "site" / "nested" / "mask.png", mask)
    write_png(tmp_path / "site" / "file.png", mask)
    write_png(tmp_path / "stemmed (1)" / "mask.png", mask)
    write_prediction(own_prediction("site/own"), tmp_path / "site" / "own")
    ids = ["site/plain", "site/nested", "site/file", "site/stemmed (1)", "site/own", "site/absent"]
    found = find_predictions(tmp_path, case_ids=ids)
    assert list(found) == ids[:-1]
    for case_id in ids[:4]:
        stored = read_prediction(found[case_id])
        assert isinstance(stored.segmentation, StoredImageMask)
        assert np.array_equal(stored.segmentation.mask, mask > 0)
        assert stored.class_probabilities is None
        assert stored.segmentation.network is None
    assert read_prediction(found["site/own"]).decision == "malignant"


def test_a_stem_that_two_cases_share_is_refused(tmp_path: Path):
    write_png(tmp_path / "a.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(InputError, match="could belong to 'one/a' or to 'two/a'"):
        find_predictions(tmp_path, case_ids=["one/a", "two/a"])
    write_png(tmp_path / "one" / "a.png", np.zeros(SIZE, np.uint8))
    found = find_predictions(tmp_path, case_ids=["one/a", "two/a"])
    assert found == {"one/a": tmp_path / "one" / "a.png", "two/a": tmp_path / "a.png"}


def test_a_directory_that_does_not_exist(tmp_path: Path):
    with pytest.raises(InputError, match="is not a folder"):
        find_predictions(tmp_path / "absent", case_ids=["a"])


IDS = ["one/a", "one/b", "two/b", "two/c"]


def probabilities(folder: Path, text: str) -> dict[str, dict[str, float]]:
    (folder / "probabilities.csv").write_bytes(text.encode())
    return read_class_table(folder, case_ids=IDS).probabilities


def test_foreign_class_probabilities(tmp_path: Path):
    assert read_class_table(tmp_path, case_ids=IDS) == ({}, (), None)
    text = "\ufeffcase_id, Benign,MALIGNANT\r\na,0.25,0.75\r\ntwo/b,1,0\r\nelsewhere,0.5,0.5\r\n"
    assert probabilities(tmp_path, text) == {
        "one/a": {"benign": 0.25, "malignant": 0.75},
        "two/b": {"benign": 1.0, "malignant": 0.0},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,benign\na,1\n", "lacks columns"),
        ("case_id\na\n", "lacks columns"),
        ("", "lacks columns"),
        ("case_id,benign,malignant\na,0.5,much\n", "'much' in line 2 is not a probability"),
        ("case_id,benign,malignant\na,0.5\n", "'' in line 2 is not a probability"),
        ("case_id,benign,malignant\na,0.5,1.5\n", "'1.5' in line 2"),
        ("case_id,benign,malignant\na,0.5,nan\n", "'nan' in line 2"),
        ("case_id,benign,malignant\na,0.5,0.5,0.5\n", "line 2 has more values than columns"),
        ("case_id,benign\na,1\none/a,1\n", "'one/a' occurs again in line 3"),
        ("case_id,benign\nb,1\n", "'b' in line 2 fits several cases"),
    ],
)
def test_wrong_class_probabilities_name_the_line(text: str, said: str, tmp_path: Path):
    with pytest.raises(InputError, match=said) as caught:
        probabilities(tmp_path, text)
    assert caught.value.path == tmp_path / "probabilities.csv"


@pytest.mark.parametrize(
    "text",
    [
        "case_id;benign;malignant\na.png;0,25;0,75\ntwo/b;1;0\n",
        "CASE_ID\tBenign\tMalignant\na\t0.25\t0.75\ntwo\\b.png\t1\t0\n",
    ],
)
def test_class_probabilities_in_the_forms_of_spreadsheets(tmp_path: Path, text: str):
    assert probabilities(tmp_path, text) == {
        "one/a": {"benign": 0.25, "malignant": 0.75},
        "two/b": {"benign": 1.0, "malignant": 0.0},
    }


def test_class_probabilities_of_other_cases_are_told_and_refused_where_none_fits(tmp_path: Path):
    (tmp_path / "probabilities.csv").write_text("case_id,benign\na,1\nz,1\n")
    assert read_class_table(tmp_path, case_ids=IDS).surplus == ("z",)
    (tmp_path / "probabilities.csv").write_text("case_id,benign\ny,1\nz,1\n")
    with pytest.raises(InputError, match=r"none of its 2 rows belongs to a case \(such as 'y'\)"):
        read_class_table(tmp_path, case_ids=IDS)


def test_a_prediction_is_found_in_either_unicode_form(tmp_path: Path):
    apart, composed = (unicodedata.normalize(form, "\u00e9") for form in ("NFD", "NFC"))
    write_png(tmp_path / f"{apart}.png", np.zeros((8, 8), np.uint8))
    assert list(find_predictions(tmp_path, case_ids=[f"site/{composed}"])) == [f"site/{composed}"]


@pytest.mark.parametrize("stem", ["CON", "nul.a", "x.", "a:b", "scan?"])
def test_cases_of_names_that_windows_refuses_have_portable_folders_and_are_found_there(stem: str, tmp_path: Path):
    """As training and evaluation write them, and scoring reads them."""
    case_id = f"site/{stem}"
    folder = prediction_folder(tmp_path, case_id)
    assert folder.parent == tmp_path / "site"
    assert folder.name == portable_name(stem) != stem
    write_prediction(own_prediction(case_id), folder)
    assert find_predictions(tmp_path, case_ids=[case_id]) == {case_id: folder}
    assert read_prediction(folder).decision == "malignant"
