from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.cli.audit_table import summary_lines
from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.core.files import write_json
from bustle.core.types import Collection, Finding, Geometry
from bustle.data.audit.audit import audit
from bustle.data.audit.case_facts import lesion_count
from bustle.data.audit.record import audit_record, read_audit
from bustle.data.readers import busi, folder
from bustle.io.volume import write_volume
from bustle.report.audit_page import write_audit_page


def disc(centre: tuple[int, int], radius: int = 20, shape: tuple[int, int] = (240, 320)) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2) * 255).astype(np.uint8)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """One case for each kind of fault."""
    images = {name: made.frame(seed, seed) for seed, name in enumerate(["a", "b", "c", "d", "e", "f", "g", "h"])}
    images["copy"] = made.crop(images["a"])
    images["marked"] = made.annotate(images["b"])
    images["coloured"] = np.repeat(made.frame(20, 20)[None], 3, axis=0)
    images["coloured"][:, 50:80, 60:90] = np.array([250, 40, 30])[:, None, None]
    labels = dict.fromkeys(images, "benign") | {"copy": "malignant", "c": "normal", "d": ""}
    masks = {name: disc((120, 160)) for name in images if name not in ("e", "copy")}
    masks["copy"] = disc((60, 60), shape=images["copy"].shape)  # type: ignore[arg-type]
    masks["f"] = disc((60, 80)) | disc((180, 240))
    masks["g"] = np.zeros((240, 320), np.uint8)
    masks["h"] = disc((0, 160))
    root = made.write_folder_set(tmp_path / "set", images, labels, masks)
    (root / "images" / "broken.png").write_bytes((root / "images" / "a.png").read_bytes()[:3000])
    (root / "images" / "empty.png").write_bytes(b"")
    cv2.imwrite(str(root / "masks" / "broken.png"), disc((1, 1)))
    return root


def kinds(findings: tuple[Finding, ...]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in findings:
        found.setdefault(finding.kind, set()).update(name.split("/")[-1] for name in finding.case_ids)
    return found


def test_a_mask_with_a_soft_edge_is_found(tmp_path: Path) -> None:
    images = {name: made.frame(seed, seed) for seed, name in enumerate(["sharp", "soft"])}
    masks = {"sharp": disc((120, 160)), "soft": cv2.GaussianBlur(disc((120, 160)), (0, 0), 2)}
    root = made.write_folder_set(tmp_path / "set", images, dict.fromkeys(images, "benign"), masks)
    found = audit(folder.read(root, name="set", options={}))
    assert kinds(found.findings)["grey-mask"] == {"soft"}
    assert abs(found.facts["set/soft"].lesion_area - found.facts["set/sharp"].lesion_area) < 15


def test_every_fault_is_found(faulty: Path) -> None:
    found = audit(folder.read(faulty, name="set", options={}))
    by_kind = kinds(found.findings)
    assert by_kind["unreadable"] == {"broken", "empty"}
    assert by_kind["near-duplicates"] == {"a", "copy", "b", "marked"}
    assert by_kind["conflicting-labels"] == {"a", "copy"}
    assert by_kind["burned-in-marks"] == {"marked"}
    assert by_kind["colour-overlay"] == {"coloured"}
    assert by_kind["several-lesions"] == {"f"}
    assert by_kind["empty-mask"] == {"g"}
    assert by_kind["lesion-at-border"] == {"h"}
    assert by_kind["lesion-in-normal"] == {"c"}
    assert "d" in by_kind["missing-label"]
    assert "e" in by_kind["missing-mask"]
    assert by_kind["missing-spacing"] == by_kind["missing-patient"] == {c.case_id[4:] for c in found.cases}
    assert "identical-images" not in by_kind


def test_the_json_has_the_promised_form(faulty: Path) -> None:
    found = audit(folder.read(faulty, name="set", options={}))
    value = json.loads(json.dumps(to_mapping(audit_record(found)), allow_nan=False))
    assert value["cases"] == len(found.cases) == 13
    assert value["by_label"] == {"benign": 8, "malignant": 1, "normal": 1, "unlabelled": 3}
    assert {frozenset(group) for group in value["duplicate_groups"]} == {
        frozenset({"set/a", "set/copy"}),
        frozenset({"set/b", "set/marked"}),
    }
    assert [set(group) for group in value["conflicting_groups"]] == [{"set/a", "set/copy"}]
    assert all(set(finding) == {"kind", "case_ids", "message"} for finding in value["findings"])
    assert value["leak_groups"] == len(set(value["groups"].values())) == 11


def test_the_file_is_read_back_or_refused(faulty: Path, tmp_path: Path) -> None:
    record = audit_record(audit(folder.read(faulty, name="set", options={})))
    path = tmp_path / "audit.json"
    write_json(path, to_mapping(record))
    assert read_audit(path) == record
    for content, said in (([], "is no audit"), (to_mapping(record) | {"cases": "many"}, "is a damaged audit")):
        write_json(path, content)
        with pytest.raises(InputError, match=said):
            read_audit(path)


def test_the_page_shows_the_pictures_of_every_finding(faulty: Path, tmp_path: Path) -> None:
    found = audit(folder.read(faulty, name="set", options={}))
    write_audit_page(tmp_path / "audit.html", found)
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/jpeg;base64,") >= 12
    for name in ("set/copy", "set/marked", "set/coloured", "set/broken"):
        assert name in page
    assert '<a href="#near-duplicates">Cropped, rescaled or re-annotated copies</a> (4 cases)' in page
    assert '<a href="#colour-overlay">Colour in the picture</a> (1 case)' in page


def test_the_terminal_sums_up_findings_of_one_kind(faulty: Path) -> None:
    record = audit_record(audit(folder.read(faulty, name="set", options={})))
    lines = summary_lines(record)
    assert lines[1].split()[:3] == ["set", "13", "11"]
    assert ["near-duplicates", "2", "4"] in [line.split() for line in lines]


def test_an_empty_collection_and_one_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    empty = audit(Collection(()))
    assert audit_record(empty).cases == 0
    write_audit_page(tmp_path / "empty.html", empty)
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "images" / "a.png").write_bytes(b"no picture")
    broken = audit(folder.read(tmp_path / "set", name="set", options={}))
    assert audit_record(broken).sources["set"].width is None
    write_audit_page(tmp_path / "broken.html", broken)


def test_copies_under_two_patients_are_told() -> None:
    image = made.frame(1, 1)
    cases = (made.memory_case("0", image, patient="a"), made.memory_case("1", made.jpeg(image), patient="b"))
    found = audit(Collection(cases))
    assert kinds(found.findings)["copies-across-patients"] == {"0", "1"}
    assert len(set(found.group_of.values())) == 1


def test_lesions_are_counted_by_instance_and_by_part() -> None:
    apart = np.where((disc((60, 80)) | disc((180, 240))) > 0, 1, 0).astype(np.uint8)
    assert lesion_count(apart) == 2
    touching = np.zeros((40, 40), np.uint8)
    touching[5:20, 5:30], touching[20:35, 5:30] = 1, 2
    assert lesion_count(touching) == 2
    speck = touching.copy()
    speck[38, 38] = 1  # a stray pixel is no lesion
    assert lesion_count(speck) == 2
    assert lesion_count(np.zeros((9, 9), np.uint8)) == 0


def test_volumes_are_looked_at_by_one_slice_and_equal_only_as_a_whole(tmp_path: Path) -> None:
    """The slice with most of the lesion is shown, the middle one compared; one volume under two names is found."""
    rng = np.random.default_rng(0)
    geometry = Geometry((9, 60, 80), spacing=(0.5, 0.1, 0.2))
    lesion = np.zeros(geometry.original_size, np.uint8)
    lesion[1:4, 20:40, 30:50] = 1
    lesion[2, 15:45, 30:50] = 1
    volumes = {name: rng.integers(0, 256, geometry.original_size, np.uint8) for name in ("a", "b")}
    volumes["a again"] = volumes["a"]
    blank = np.zeros(geometry.original_size, np.uint8)
    volumes |= {"blank": blank, "nearly blank": blank.copy()}
    volumes["nearly blank"][0, 30, 40] = 9
    for name, voxels in volumes.items():
        write_volume(tmp_path / "images" / f"{name}.nrrd", voxels, geometry=geometry)
        write_volume(tmp_path / "masks" / f"{name}.nrrd", lesion, geometry=geometry)
    rows = ["case_id,label,patient_id", *(f"{name},benign,{number}" for number, name in enumerate(volumes))]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    found = audit(folder.read(tmp_path, name="set", options={}))
    by_kind = kinds(found.findings)
    assert by_kind["identical-images"] == by_kind["copies-across-patients"] == {"a", "a again"}
    assert len(set(found.group_of.values())) == 4
    facts = found.facts["set/b"]
    assert facts.size == (60, 80)
    assert facts.lesion_area == 30 * 20
    assert facts.lesions == 1
    write_audit_page(tmp_path / "audit.html", found)


def test_known_marks_of_busi(real_data: Path) -> None:
    wanted = {"benign (433)", "benign (240)", "benign (51)", "normal (97)", "benign (58)"}
    collection = busi.read(real_data / "busi" / "Dataset_BUSI_with_GT", name="busi", options={})
    cases = tuple(case for case in collection.cases if case.case_id[5:] in wanted)
    by_kind = kinds(audit(Collection(cases)).findings)
    assert by_kind["burned-in-marks"] & {"benign (433)", "benign (51)", "normal (97)"} == {"benign (433)"}
    assert by_kind["colour-overlay"] == {"benign (240)"}
    assert "lesion-in-normal" not in by_kind
