from __future__ import annotations

import os
import pickle
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.data.content_hashes import content_hashes
from bustle.data.sources import open_sources
from bustle.io.raster import write_png
from bustle.io.volume import write_volume


def write_labels(folder: Path, text: str, *, encoding: str = "utf-8") -> None:
    (folder / "labels.csv").write_text(text, encoding=encoding)


def test_complete_layout(tmp_path: Path, put, block):
    for stem in ("a10", "a2"):
        put(f"images/{stem}.png")
        put(f"masks/{stem}.png", block(5, 15, 5, 15))
        put(f"gland/{stem}.png", block(0, 30, 0, 50))
    write_labels(
        tmp_path,
        "case_id,label,patient_id,spacing_mm,scanner\na10, Malignant ,p1,0.07,X\na2,benign,p1,0.1 0.2,Y\n",
    )
    collection = open_sources([f"folder:{tmp_path}?name=site"])
    assert collection.findings == ()
    second, first = collection.cases
    assert (second.case_id, first.case_id) == ("site/a2", "site/a10")
    assert (first.label, first.patient_id, first.spacing, first.metadata) == (
        "malignant",
        "p1",
        (0.07, 0.07),
        {"scanner": "X"},
    )
    assert second.spacing == (0.1, 0.2)
    assert (first.has_mask, first.has_gland, first.has_box, first.mask_files) == (True, True, False, 1)
    sample = pickle.loads(pickle.dumps(first)).load()
    assert sample.gland_mask.dtype == np.bool_
    assert int(sample.gland_mask.sum()) == 30 * 50
    np.testing.assert_array_equal(sample.lesion_mask, block(5, 15, 5, 15) > 0)
    assert sample.lesion_labels == ("malignant",)
    assert sample.geometry.spacing == (0.07, 0.07)
    assert sample.source == "site"


def test_images_alone_are_cases(tmp_path: Path, put):
    put("images/a.png")
    collection = open_sources([f"folder:{tmp_path}"])
    (case,) = collection.cases
    assert collection.findings == ()
    assert (case.label, case.has_mask, case.has_gland, case.patient_id, case.spacing) == (
        None,
        False,
        False,
        None,
        None,
    )
    sample = case.load()
    assert sample.lesion_mask is None
    assert sample.gland_mask is None
    assert sample.boxes is None


def test_image_and_mask_may_be_of_different_formats(tmp_path: Path, put, block):
    for stem, ending in {"a": "jpg", "b": "bmp", "c": "tiff", "d": "PNG"}.items():
        put(f"images/{stem}.{ending}")
        put(f"masks/{stem}.png", block(5, 15, 5, 15))
    collection = open_sources([f"folder:{tmp_path}"])
    assert [case.load().lesion_mask.sum() for case in collection.cases] == [100] * 4
    assert [case.load().image.shape for case in collection.cases] == [(1, 40, 50)] * 4


def test_mask_without_image_and_image_without_mask_are_findings(tmp_path: Path, put, block):
    for stem in ("a", "b", "c"):
        put(f"images/{stem}.png")
    put("masks/a.png", block(5, 15, 5, 15))
    put("masks/z.png", block(5, 15, 5, 15))
    put("gland/y.png", block(5, 15, 5, 15))
    collection = open_sources([f"folder:{tmp_path}"])
    findings = {finding.kind: finding for finding in collection.findings}
    assert set(findings) == {"image-without-mask", "mask-without-image"}
    assert findings["image-without-mask"].case_ids == ("folder/b", "folder/c")
    assert "z.png, y.png" in findings["mask-without-image"].message
    assert [case.has_mask for case in collection.cases] == [True, False, False]


def test_normal_case_needs_no_mask(tmp_path: Path, put, block):
    put("images/a.png")
    put("images/b.png")
    put("masks/a.png", block(5, 15, 5, 15))
    write_labels(tmp_path, "case_id,label\na,benign\nb,normal\n")
    collection = open_sources([f"folder:{tmp_path}"])
    assert collection.findings == ()
    assert collection.cases[1].has_mask
    assert not collection.cases[1].load().lesion_mask.any()


def test_mask_of_another_size_is_found_without_decoding_and_refused_when_loaded(
    tmp_path: Path, put, block, monkeypatch: pytest.MonkeyPatch
):
    put("images/a.png")
    put("masks/a.png", block(5, 15, 5, 15, size=(40, 49)))
    put("images/b.png")
    put("gland/b.png", block(5, 15, 5, 15, size=(41, 50)))
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
        collection = open_sources([f"folder:{tmp_path}"])
    mismatches = [finding for finding in collection.findings if finding.kind == "mask-size-mismatch"]
    assert [finding.case_ids for finding in mismatches] == [("folder/a",), ("folder/b",)]
    assert "a.png is 49 x 40 pixels, its image 50 x 40" in mismatches[0].message
    with pytest.raises(InputError, match=r"masks.a\.png: the mask is 49 x 40 pixels, its image 50 x 40; give"):
        collection.cases[0].load()
    with pytest.raises(InputError, match=r"gland.b\.png: the mask is 50 x 41 pixels"):
        collection.cases[1].load()


def test_byte_order_mark_and_semicolons(tmp_path: Path, put):
    put("images/a.png")
    for text in ("case_id,label\na,benign\n", "case_id;label\r\na;benign\r\n"):
        write_labels(tmp_path, text, encoding="utf-8-sig")
        assert open_sources([f"folder:{tmp_path}"]).cases[0].label == "benign"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "case_id,class\na,benign\n",
            r"labels\.csv: has no column 'label'; add the column; .* found are: case_id, class",
        ),
        ("image,label\na,benign\n", r"labels\.csv: has no column 'case_id'"),
        ("", r"labels\.csv: has no column 'case_id'; .* found are: none"),
        (
            "case_id,label\na,bening\n",
            r"labels\.csv: line 2: unknown class name 'bening'; did you mean benign\? Known: benign, mal",
        ),
        ("case_id,label\na,benign\na,benign\n", r"labels\.csv: case_id 'a' occurs twice"),
        ("case_id,label,spacing_mm\na,benign,wide\n", r"labels\.csv: line 2: 'wide' is not a pixel spacing"),
        ("case_id,label,spacing_mm\na,benign,0\n", r"labels\.csv: line 2: '0' is not a pixel spacing"),
    ],
)
def test_broken_labels(tmp_path: Path, put, text: str, said: str):
    put("images/a.png")
    write_labels(tmp_path, text)
    with pytest.raises(InputError, match=said) as caught:
        open_sources([f"folder:{tmp_path}"])
    assert "\n" not in str(caught.value)


def test_labels_in_another_encoding(tmp_path: Path, put):
    put("images/a.png")
    (tmp_path / "labels.csv").write_bytes("case_id,label\nä,benign\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"labels\.csv: is not text in UTF-8"):
        open_sources([f"folder:{tmp_path}"])


def test_labels_and_images_that_do_not_match_are_findings(tmp_path: Path, put):
    put("images/a.png")
    put("images/b.png")
    put("images/c.png")
    write_labels(tmp_path, "case_id,label\na,benign\nb,\nx,benign\n")
    collection = open_sources([f"folder:{tmp_path}"])
    assert {finding.kind: finding.case_ids for finding in collection.findings} == {
        "image-without-row": ("folder/c",),
        "row-without-image": (),
    }
    assert [case.label for case in collection.cases] == ["benign", None, None]


def test_patients_who_are_not_known_are_no_patient(tmp_path: Path, put):
    for stem in "abc":
        put(f"images/{stem}.png")
    write_labels(tmp_path, "case_id,label,patient_id\na,benign,NA\nb,benign,nan\nc,NA,7\n")
    collection = open_sources([f"folder:{tmp_path}"])
    assert [case.patient_id for case in collection.cases] == [None, None, "7"]
    assert [case.label for case in collection.cases] == ["benign", "benign", None]
    messages = [finding.message for finding in collection.findings if finding.kind == "missing-values"]
    assert messages == [
        "folder: 1 cells of label in labels.csv say NA, nan or the like and count as absent",
        "folder: 2 cells of patient_id in labels.csv say NA, nan or the like and count as absent",
    ]


def test_rows_named_as_files_are_found_and_a_table_of_which_none_fits_is_refused(tmp_path: Path, put):
    put("images/a.png")
    put("images/b.png")
    write_labels(tmp_path, "case_id;label;spacing_mm\na.png;benign;0,08\nimages\\b.png;malignant;0,1\n")
    first, second = open_sources([f"folder:{tmp_path}"]).cases
    assert (first.label, second.label, first.spacing) == ("benign", "malignant", (0.08, 0.08))
    write_labels(tmp_path, "case_id,label\nx,benign\ny,malignant\n")
    with pytest.raises(InputError, match=r"none of its 2 rows fits an image \('x' in case_id\); .* such as 'a'"):
        open_sources([f"folder:{tmp_path}"])


def test_accents_in_either_form_are_one_name(tmp_path: Path, put, block):
    apart, composed = (unicodedata.normalize(form, "é") for form in ("NFD", "NFC"))
    put(f"images/{apart}.png")
    put(f"masks/{composed}.png", block(5, 15, 5, 15))
    write_labels(tmp_path, f"case_id,label\n{composed},benign\n")
    collection = open_sources([f"folder:{tmp_path}"])
    (case,) = collection.cases
    assert collection.findings == ()
    assert (case.case_id, case.label, case.has_mask) == (f"folder/{composed}", "benign", True)


def test_labels_may_be_a_spreadsheet(tmp_path: Path, put):
    put("images/7.png")
    book = openpyxl.Workbook()
    book.active.append(["case_id", "label", "patient_id"])
    book.active.append([7, "benign", 12.0])
    book.save(tmp_path / "labels.xlsx")
    (case,) = open_sources([f"folder:{tmp_path}"]).cases
    assert (case.label, case.patient_id) == ("benign", "12")


def test_a_spacing_that_could_be_one_number_or_two_is_refused(tmp_path: Path, put):
    put("images/a.png")
    write_labels(tmp_path, 'case_id,label,spacing_mm\na,benign,"1,5"\n')
    with pytest.raises(InputError, match=r"'1,5' may be 1\.5 or 1 5; write it with a point, or a blank"):
        open_sources([f"folder:{tmp_path}"])


def test_duplicate_ids(tmp_path: Path, put):
    put("images/a.png")
    put("images/a.bmp")
    with pytest.raises(InputError, match=r"images: 'a\.bmp' and 'a\.png' would have the same case id; rename"):
        open_sources([f"folder:{tmp_path}"])


def test_duplicate_ids_across_sources(tmp_path: Path, put):
    put("images/a.png")
    spec = f"folder:{tmp_path}"
    with pytest.raises(InputError, match=r"case id 'folder/a' occurs in .*; give one of the sources another name"):
        open_sources([spec, spec])
    assert [case.case_id for case in open_sources([spec, f"{spec}?name=b"]).cases] == ["folder/a", "b/a"]


def test_a_file_whose_name_cannot_be_a_case_id_is_left_out_with_a_finding(tmp_path: Path, put):
    put("images/a..b.png")
    put("images/good.png")
    (tmp_path / "masks").mkdir()
    found = open_sources([f"folder:{tmp_path}"])
    assert [case.case_id for case in found.cases] == ["folder/good"]
    (finding,) = [finding for finding in found.findings if finding.kind == "unusable-name"]
    assert "'folder/a..b' cannot be a case id: it contains '..'; rename the file" in finding.message
    assert {case_id for finding in found.findings for case_id in finding.case_ids} == {"folder/good"}


def test_empty_folder_and_wrong_layout(tmp_path: Path):
    with pytest.raises(InputError, match="has no folder images/"):
        open_sources([f"folder:{tmp_path}"])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "Thumbs.db").touch()
    (tmp_path / "images" / "._a.png").touch()
    with pytest.raises(InputError, match="images: holds no images"):
        open_sources([f"folder:{tmp_path}"])


def test_damaged_files_do_not_stop_the_listing_but_name_themselves_when_loaded(tmp_path: Path, put, block):
    put("images/good.png")
    put("masks/good.png", block(5, 15, 5, 15))
    for stem in ("corrupt", "empty"):
        put(f"images/{stem}.png")
        put(f"masks/{stem}.png", block(5, 15, 5, 15))
    corrupt = tmp_path / "images" / "corrupt.png"
    corrupt.write_bytes(corrupt.read_bytes()[:200])
    (tmp_path / "masks" / "empty.png").write_bytes(b"")
    cases = {case.case_id: case for case in open_sources([f"folder:{tmp_path}"]).cases}
    assert len(cases) == 3
    with pytest.raises(InputError, match=r"corrupt\.png: is not a readable"):
        cases["folder/corrupt"].load()
    with pytest.raises(InputError, match=r"empty\.png: is empty \(0 bytes\)"):
        cases["folder/empty"].load()
    assert cases["folder/good"].load().lesion_mask.any()


def test_16_bit_and_palette_files(tmp_path: Path, put, block):
    put("images/a.png", np.linspace(0, 65535, 2000).astype(np.uint16).reshape(40, 50))
    palette = Image.fromarray(block(5, 15, 5, 15, value=1), mode="P")
    palette.putpalette([0, 0, 0, 0, 200, 0])
    (tmp_path / "masks").mkdir()
    palette.save(tmp_path / "masks" / "a.png")
    sample = open_sources([f"folder:{tmp_path}"]).cases[0].load()
    assert sample.image.dtype == np.uint8
    assert (sample.image.min(), sample.image.max()) == (0, 255)
    np.testing.assert_array_equal(sample.lesion_mask, block(5, 15, 5, 15, value=1))


def test_volumes_lie_beside_images(tmp_path: Path):
    """A volume's own header says its spacing and place; a mask at another place is a finding, and refused."""
    geometry = Geometry((6, 12, 10), spacing=(0.5, 0.1, 0.2), origin=(1.0, 2.0, 3.0))
    lesion = np.zeros(geometry.original_size, np.uint8)
    lesion[1:3, 2:6, 3:7], lesion[4:5, 8:10, 1:3] = 1, 2
    for stem in ("a", "b.1"):
        write_volume(tmp_path / "images" / f"{stem}.nii.gz", lesion * np.uint8(90), geometry=geometry)
    write_volume(tmp_path / "masks" / "a.nrrd", lesion, geometry=geometry)
    write_volume(tmp_path / "masks" / "b.1.nrrd", lesion, geometry=replace(geometry, origin=(9.0, 2.0, 3.0)))
    write_png(tmp_path / "images" / "flat.png", np.zeros((20, 30), np.uint8))
    write_labels(tmp_path, "case_id,label,spacing_mm\na,benign,0.4\nb.1,,\nflat,,0.4\n")
    collection = open_sources([f"folder:{tmp_path}"])
    whole, displaced, flat = collection.cases
    assert [case.case_id for case in collection.cases] == ["folder/a", "folder/b.1", "folder/flat"]
    assert whole.spacing == pytest.approx((0.5, 0.1, 0.2))
    sample = whole.load()
    assert sample.image.shape == (1, 6, 12, 10)
    assert sample.lesion_mask is not None
    assert sample.lesion_mask.max() == 2
    assert sample.geometry.origin == pytest.approx((1.0, 2.0, 3.0))
    assert flat.load().image.shape == (1, 20, 30)
    assert flat.spacing == (0.4, 0.4)
    (finding,) = [finding for finding in collection.findings if finding.kind == "mask-size-mismatch"]
    assert finding.case_ids == ("folder/b.1",)
    with pytest.raises(InputError, match=r"b.1.nrrd: lies at another place than its volume; resample the mask"):
        displaced.load()


def test_the_voxels_of_detached_headers_are_files_of_their_case(tmp_path: Path):
    """Their content decides fingerprints and caches as that of every other file does."""
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 4 3\nencoding: raw\nspacings: 1 1 1\n"
    for kind, value in (("images", 90), ("masks", 1)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.nhdr").write_text(f"{header}data file: a.raw\n")
        (tmp_path / kind / "a.raw").write_bytes(bytes([value]) * 60)
    (case,) = open_sources([f"folder:{tmp_path}"]).cases
    names = ["images/a.nhdr", "masks/a.nhdr", "images/a.raw", "masks/a.raw"]
    assert case.files == tuple(tmp_path / name for name in names)
    assert case.load().lesion_mask.all()


def test_an_image_of_several_pictures_is_a_finding(tmp_path: Path, put, block):
    put("images/a.png")
    put("masks/a.png", block(5, 15, 5, 15))
    pages = [Image.new("L", (50, 40), number) for number in range(3)]
    pages[0].save(tmp_path / "images" / "b.tif", save_all=True, append_images=pages[1:])
    put("masks/b.png", block(5, 15, 5, 15))
    (finding,) = open_sources([f"folder:{tmp_path}"]).findings
    assert (finding.kind, finding.case_ids) == ("several-pictures", ("folder/b",))
    assert finding.message == "b.tif holds 3 pictures; only the first is used"


def test_a_pipe_among_the_images_is_a_case_that_cannot_be_read(tmp_path: Path, put, block):
    """Listing it opens nothing; loading it says what it is."""
    put("images/a.png")
    os.mkfifo(tmp_path / "images" / "b.png")
    os.mkfifo(tmp_path / "images" / "c.nhdr")
    _, *pipes = open_sources([f"folder:{tmp_path}"]).cases
    for case in pipes:
        with pytest.raises(InputError, match="it is a named pipe, not a file"):
            case.load()
        with pytest.raises(InputError, match="it is a named pipe, not a file"):
            content_hashes(case.files)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path, put):
    put("images/a.png")
    write_labels(tmp_path, "case_id,label,label\na,benign,malignant\n")
    with pytest.raises(InputError, match=r"labels\.csv: has the column 'label' twice; rename or remove"):
        open_sources([f"folder:{tmp_path}"])


def test_a_table_that_is_a_pipe_is_refused(tmp_path: Path, put):
    put("images/a.png")
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(InputError, match=r"labels\.csv: cannot be read"):
        open_sources([f"folder:{tmp_path}"])


def test_patient_ids_that_look_alike_are_a_finding(tmp_path: Path, put):
    ids = {"a": "PAT-7", "b": "pat 07", "c": "PAT-70", "d": "1-2", "e": "12"}
    for stem in ids:
        put(f"images/{stem}.png")
    write_labels(tmp_path, "case_id,label,patient_id\n" + "".join(f"{a},benign,{b}\n" for a, b in ids.items()))
    collection = open_sources([f"folder:{tmp_path}"])
    (finding,) = collection.findings
    assert (finding.kind, finding.case_ids) == ("alike-patients", ("folder/a", "folder/b"))
    assert "'PAT-7' (1), 'pat 07' (1)" in finding.message
    assert [case.patient_id for case in collection.cases] == list(ids.values())


def test_a_photograph_that_lies_on_its_side_beside_its_mask_is_a_finding(tmp_path: Path, put, block):
    put("images/a.png")
    put("masks/a.png", block(5, 15, 5, 15))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (40, 40)).save(tmp_path / "images" / "b.jpg", exif=exif)
    put("masks/b.png", block(5, 15, 5, 15, size=(40, 40)))
    (finding,) = open_sources([f"folder:{tmp_path}"]).findings
    assert (finding.kind, finding.case_ids) == ("exif-orientation", ("folder/b",))
    assert "EXIF orientation 6" in finding.message


def test_folders_of_images_that_nobody_reads_are_named(tmp_path: Path, put):
    put("images/a.png")
    put("mask_2024/a.png")
    (tmp_path / "notes").mkdir()
    (finding,) = open_sources([f"folder:{tmp_path}"]).findings
    assert (finding.kind, finding.message) == (
        "unread-folder",
        "folder: 1 folders hold images that are not read: mask_2024",
    )


def test_names_that_differ_only_in_capitals_are_a_finding(tmp_path: Path, put):
    for name in ("A", "a", "b"):
        put(f"images/{name}.png")
    (finding,) = open_sources([f"folder:{tmp_path}"]).findings
    assert (finding.kind, sorted(finding.case_ids)) == ("alike-names", ["folder/A", "folder/a"])
    assert "differ only in capitals (folder/A, folder/a)" in finding.message
