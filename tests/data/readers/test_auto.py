"""Data sets whose form is told by looking at it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.core.types import Collection
from bustle.data.sources import open_sources, parse_spec
from bustle.io import tables


def labels(collection: Collection) -> dict[str, str | None]:
    return {case.case_id: case.label for case in collection.cases}


def outlined(collection: Collection) -> int:
    return sum(case.has_mask and bool(case.load().lesion_mask.any()) for case in collection.cases)


def busi(put, block, root: str, number: int = 1) -> None:
    for label in ("benign", "malignant"):
        put(f"{root}/{label}/{label} ({number}).png")
        put(f"{root}/{label}/{label} ({number})_mask.png", block(5, 15, 5, 15))


def test_a_path_alone_is_read_and_said(tmp_path: Path, put, block, capsys):
    busi(put, block, "set")
    spec = str(tmp_path / "set")
    assert parse_spec(spec).reader == parse_spec(f"{spec}?labels=B:benign").reader == "auto"
    assert labels(open_sources([spec])) == {"busi/benign (1)": "benign", "busi/malignant (1)": "malignant"}
    said = capsys.readouterr().err
    assert "is read as busi:" in said
    assert "2 images (1 benign, 1 malignant), 2 outlined" in said


def test_busi_in_nested_folders_and_in_parts(tmp_path: Path, put, block):
    busi(put, block, "archive/Dataset_BUSI_with_GT/Dataset_BUSI_with_GT")
    assert list(labels(open_sources([str(tmp_path)]))) == ["busi/benign (1)", "busi/malignant (1)"]
    (tmp_path / "other").mkdir()
    busi(put, block, "split/train", 1)
    busi(put, block, "split/test", 2)
    collection = open_sources([str(tmp_path / "split")])
    assert sorted(labels(collection)) == [f"auto/{a} ({n})" for a in ("benign", "malignant") for n in (1, 2)]
    assert Counter(case.metadata["part"] for case in collection.cases) == {"train": 2, "test": 2}
    assert outlined(collection) == 4


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("Malign/1.png", "Malign/1_mask.png"),
        ("maligno/images/1.png", "maligno/masks/1.png"),
        ("M/1.png", "M/masks/1_mask.png"),
        ("images/malignant/1.png", "masks/malignant/1.png"),
    ],
)
def test_class_folders_of_many_spellings(tmp_path: Path, put, block, image: str, mask: str):
    put(image)
    put(mask, block(5, 15, 5, 15))
    for file in (image, mask):
        for word, other in (("Malign", "Benign"), ("maligno", "benigno"), ("malignant", "normal"), ("M/", "B/")):
            if word in file:
                put(file.replace(word, other), block(5, 15, 5, 15))
                break
    collection = open_sources([str(tmp_path)])
    assert collection.findings == ()
    assert len(collection.cases) == 2
    assert "malignant" in labels(collection).values()
    assert outlined(collection) == 2


def test_a_class_folder_of_an_unknown_word_is_refused_until_it_is_told(tmp_path: Path, put):
    put("benign/a.png")
    put("cancer/b.png")
    with pytest.raises(InputError, match=r"the folder 'cancer' holds images .* \?labels=cancer:malignant"):
        open_sources([str(tmp_path)])
    found = labels(open_sources([f"{tmp_path}?labels=cancer:malignant"]))
    assert found == {"auto/a": "benign", "auto/b": "malignant"}


@pytest.mark.parametrize(
    ("masks", "name"),
    [("masks", "a_mask.png"), ("GT", "a.png"), ("gt", "mask_a.png"), ("mask", "a_seg.png")],
)
@pytest.mark.parametrize("images", ["images", "Image", "imgs"])
def test_images_and_masks_in_a_folder_each(tmp_path: Path, put, block, images: str, masks: str, name: str):
    put(f"{images}/a.png")
    put(f"{masks}/{name}", block(5, 15, 5, 15))
    (tmp_path / "labels.csv").write_text("Filename;Class;Patient ID\na.png;M;7\n", encoding="utf-16")
    collection = open_sources([str(tmp_path)])
    (case,) = collection.cases
    assert collection.findings == ()
    assert (case.case_id, case.label, case.patient_id) == ("auto/a", "malignant", "7")
    assert outlined(collection) == 1


@pytest.mark.parametrize(
    "text",
    [
        "filename,class\na.png,B\nb.png,M\n",
        "Image\tMask\tDiagnosis\nimgs\\a.png\tout\\a.png\tBenigno\nimgs\\b.png\tout\\b.png\tmaligno\n",
        "IMAGE;LABEL\nC:\\study\\imgs\\a.png;benign\nC:\\study\\imgs\\b.png;malign\n",
    ],
)
def test_tables_with_the_columns_that_people_choose(tmp_path: Path, put, block, text: str):
    for stem in "ab":
        put(f"imgs/{stem}.png")
        put(f"out/{stem}.png", block(5, 15, 5, 15))
    (tmp_path / "data.csv").write_text(text)
    expected = {"auto/a": "benign", "auto/b": "malignant"}
    if "imgs" in text:
        assert labels(open_sources([str(tmp_path / "data.csv")])) == expected
    collection = open_sources([str(tmp_path)])
    assert labels(collection) == expected
    if "Mask" in text:
        assert outlined(open_sources([str(tmp_path / "data.csv")])) == 2


def test_classes_in_numbers_must_be_told(tmp_path: Path, put):
    put("images/a.png")
    put("images/b.png")
    (tmp_path / "labels.csv").write_text("case_id,label\na,0\nb,1\n")
    with pytest.raises(InputError, match=r"labels\.csv: line 2: '0' is no class that is known .* \?labels=0:benign"):
        open_sources([str(tmp_path)])
    found = labels(open_sources([f"{tmp_path}?labels=0:benign,1:malignant"]))
    assert found == {"auto/a": "benign", "auto/b": "malignant"}


@pytest.mark.parametrize("roboflow", [False, True])
def test_yolo_boxes_and_outlines(tmp_path: Path, put, roboflow: bool):
    images, texts = ("train/images", "train/labels") if roboflow else ("images/train", "labels/train")
    for stem, text in {"a": "1 0.5 0.5 0.2 0.25\n", "b": "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n", "c": ""}.items():
        put(f"{images}/{stem}.png")
        (tmp_path / texts).mkdir(parents=True, exist_ok=True)
        (tmp_path / texts / f"{stem}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text("names: [benign, malignant]\n")
    collection = open_sources([str(tmp_path)])
    boxed, drawn, empty = collection.cases
    assert (boxed.label, drawn.label, empty.label) == ("malignant", "benign", None)
    assert boxed.load().boxes == ((15, 20, 25, 30),)
    assert not boxed.has_mask
    assert int(drawn.load().lesion_mask.sum()) == 16 * 20
    assert empty.has_mask
    assert not empty.load().lesion_mask.any()


def test_a_broken_yolo_line_is_named(tmp_path: Path, put):
    put("images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 7 0.2\n")
    with pytest.raises(InputError, match=r"a\.txt: line 2 is no YOLO annotation"):
        open_sources([str(tmp_path)])


@pytest.mark.parametrize("places", [("", ""), ("annotations/", "images/"), ("train/", "train/")])
def test_coco_given_as_a_folder(tmp_path: Path, put, places: tuple[str, str]):
    put(f"{places[1]}a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 3, 4, 5]}],
        "categories": [{"id": 1, "name": "benign"}],
    }
    file = tmp_path / f"{places[0]}_annotations.coco.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
    assert labels(open_sources([str(tmp_path)])) == {"coco/a": "benign"}


def test_what_could_be_meant_in_two_ways_is_refused(tmp_path: Path, put):
    put("images/a.png")
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("image,label\na,benign\n")
    with pytest.raises(InputError, match=r"several tables about its images \(one\.csv, two\.csv\); keep one"):
        open_sources([str(tmp_path)])
    (tmp_path / "two.csv").write_text("image,class,diagnosis\na,benign,malignant\n")
    (tmp_path / "one.csv").unlink()
    with pytest.raises(InputError, match="several columns that could be the class: class, diagnosis"):
        open_sources([str(tmp_path)])


def test_folders_of_unknown_meaning_can_be_told_as_the_message_says(tmp_path: Path, put):
    for name in "01":
        put(f"{name}/a{name}.png")
    with pytest.raises(
        InputError, match=r"say what its folders mean, as in \?labels=0:benign,1:malignant;"
    ) as caught:
        open_sources([str(tmp_path)])
    option = caught.value.remedy.split("as in ")[1].split(";")[0]
    assert labels(open_sources([f"{tmp_path}{option}"])) == {"auto/a0": "benign", "auto/a1": "malignant"}


@pytest.mark.parametrize("names", [("1, left", "2"), ("gr1", "gr2", "gr3", "gr4")])
def test_folders_that_no_option_can_name_are_for_a_table(tmp_path: Path, put, names: tuple[str, ...]):
    for name in names:
        put(f"{name}/image of {name}.png")
    with pytest.raises(InputError, match="is no data set whose form is known; give manifest:"):
        open_sources([str(tmp_path)])


def test_what_is_no_data_set(tmp_path: Path):
    with pytest.raises(InputError, match=r"is no data set whose form is known; give manifest:TABLE\.csv"):
        open_sources([str(tmp_path)])
    (tmp_path / "a.tar").write_bytes(b"a")
    with pytest.raises(InputError, match=r"a\.tar: is an archive; unpack it"):
        open_sources([str(tmp_path / "a.tar")])
    with pytest.raises(InputError, match="labels=B is no mapping"):
        open_sources([f"{tmp_path}?labels=B"])
    with pytest.raises(InputError, match="unknown class name 'tumour'"):
        open_sources([f"{tmp_path}?labels=B:tumour"])


def test_tables_about_something_else_do_not_stop_what_can_be_read(tmp_path: Path, put, capsys):
    put("images/a.png")
    (tmp_path / "labels.csv").write_text("image,label\na,benign\n")
    (tmp_path / "devices.csv").write_text("name,class,type\nprobe,linear,L12\n")
    (tmp_path / "notes.xlsx").write_bytes(b"no spreadsheet")
    collection = open_sources([str(tmp_path)])
    assert labels(collection) == {"auto/a": "benign"}
    (finding,) = collection.findings
    assert finding.kind == "unread-table"
    assert "nothing is taken from a table: notes.xlsx: is not a readable Excel file" in finding.message


def test_a_broken_table_of_the_images_is_refused_by_every_reader(tmp_path: Path, put):
    put("images/a.png")
    (tmp_path / "labels.csv").write_bytes(b"case_id,label,label\na,benign,benign\n")
    for reader in ("", "folder:"):
        with pytest.raises(InputError, match=r"labels\.csv: has the column 'label' twice"):
            open_sources([f"{reader}{tmp_path}"])


def test_images_of_one_name_in_two_formats_are_told_by_both_names(tmp_path: Path, put):
    put("images/a.png")
    put("images/a.webp")
    with pytest.raises(InputError, match=r"'a\.png' and 'a\.webp' would have the same case id; rename"):
        open_sources([f"folder:{tmp_path}"])
    with pytest.raises(InputError, match=r"a\.webp: case id 'auto/a' occurs twice, of 'a\.png' too"):
        open_sources([str(tmp_path)])


def test_a_table_is_read_once(tmp_path: Path, put, monkeypatch: pytest.MonkeyPatch):
    put("images/a.png")
    (tmp_path / "labels.csv").write_text("image,label,patient,remark\na,benign,NA,NA\n")
    read: list[Path] = []
    content = tables._content
    monkeypatch.setattr(tables, "_content", lambda path: read.append(path) or content(path))
    (finding,) = open_sources([str(tmp_path)]).findings
    assert finding.message == "auto: 1 cells of patient in labels.csv say NA, nan or the like and count as absent"
    assert read == [tmp_path / "labels.csv"]
