from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.sources import open_sources

CATEGORIES = [
    {"id": 1, "name": "Benign"},
    {"id": 2, "name": "malignant"},
    {"id": 3, "name": "mass"},
    {"id": 4, "name": "normal"},
]
SQUARE = [[5, 5, 15, 5, 15, 15, 5, 15]]


def annotation(
    image: int, category: int, *, box: list[float] | None = None, segmentation: Any = None
) -> dict[str, Any]:
    return {
        "id": 1,
        "image_id": image,
        "category_id": category,
        "bbox": box or [],
        "segmentation": segmentation or [],
    }


def write(folder: Path, annotations: list[dict], /, *, names: list[str], **changed: Any) -> str:
    images = [{"id": i, "file_name": name, "width": 50, "height": 40} for i, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES} | changed
    (folder / "a.json").write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return f"coco:{folder / 'a.json'}"


def test_outlines_boxes_and_classes(tmp_path: Path, put):
    put("one.png")
    runs = {"size": [40, 50], "counts": [40 * 20 + 20, 10, 30, 10, 40 * 28 + 10]}
    found = [
        annotation(0, 1, box=[5, 5, 10, 10], segmentation=SQUARE),
        annotation(0, 2, box=[20.5, 20.2, 1.2, 9], segmentation=runs),
    ]
    collection = open_sources([write(tmp_path, found, names=["one.png"])])
    (case,) = collection.cases
    assert collection.findings == ()
    assert (case.case_id, case.label, case.has_mask, case.has_box) == ("coco/one", "malignant", True, True)
    sample = pickle.loads(pickle.dumps(case)).load()
    expected = np.zeros((40, 50), np.uint8)
    expected[5:15, 5:15], expected[20:30, 20:22] = 1, 2
    np.testing.assert_array_equal(sample.lesion_mask, expected)
    assert sample.lesion_labels == ("benign", "malignant")
    assert sample.boxes == ((5, 5, 15, 15), (20, 20, 30, 22))


def test_annotations_of_any_completeness(tmp_path: Path, put):
    names = ["bare.png", "boxed.png", "mixed.png", "unknown.png", "normal.png"]
    for name in names:
        put(f"pictures/{name}")
    found = [
        annotation(1, 1, box=[5, 5, 10, 10]),
        annotation(2, 1, box=[5, 5, 10, 10], segmentation=SQUARE),
        annotation(2, 1, box=[20, 20, 5, 5]),
        annotation(3, 3, segmentation=SQUARE),
        annotation(4, 4),
    ]
    collection = open_sources([write(tmp_path, found, names=names) + "?images=pictures"])
    cases = {case.case_id.removeprefix("coco/"): case for case in collection.cases}
    facts = {stem: (case.label, case.has_mask, case.has_box) for stem, case in cases.items()}
    assert facts == {
        "bare": (None, False, False),
        "boxed": ("benign", False, True),
        "mixed": ("benign", False, True),
        "unknown": (None, True, False),
        "normal": ("normal", True, False),
    }
    assert {finding.kind: finding.case_ids for finding in collection.findings} == {
        "image-without-mask": ("coco/bare",),
        "lesion-without-outline": ("coco/boxed", "coco/mixed"),
    }
    assert not cases["normal"].load().lesion_mask.any()
    assert cases["unknown"].load().lesion_labels == (None,)


def test_what_does_not_match_is_a_finding(tmp_path: Path, put):
    put("a.png")
    put("b.png", size=(41, 50))
    spec = write(
        tmp_path,
        [annotation(0, 1, segmentation=SQUARE), annotation(99, 1), annotation(1, 1, segmentation=SQUARE)],
        names=["a.png", "b.png", "gone.png"],
    )
    collection = open_sources([spec])
    findings = {finding.kind: finding for finding in collection.findings}
    assert set(findings) == {"mask-without-image", "row-without-image", "size-mismatch"}
    assert "99" in findings["mask-without-image"].message
    assert "gone.png" in findings["row-without-image"].message
    assert findings["size-mismatch"].case_ids == ("coco/b",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"categories": None}, r"a\.json: is not a COCO annotation file \('categories'\); it needs images"),
        ({"images": None}, r"a\.json: is not a COCO annotation file"),
        (
            {"categories": [{"id": 9, "name": "benign"}]},
            r"a\.json: an annotation has the category 1, which is not in",
        ),
        ({"images": []}, r"a\.json: lists no images"),
        (
            {"images": [{"id": 1, "file_name": "b.png"}]},
            r"a\.json: none of its images exist in .*; give their folder with \?images=",
        ),
        ({"annotations": [annotation(0, 1, box=[1, 2, 3])]}, r"a\.json: the bbox \[1, 2, 3\] is not"),
        (
            {"annotations": [annotation(0, 1, box=[1, 2, -3, 4])]},
            r"annotations\[0\] has the bbox \[1, 2, -3, 4\], which",
        ),
        ({"annotations": [annotation(0, 1, box=[-9, 2, 3, 4])]}, r"annotations\[0\] has the bbox \[-9, 2, 3, 4\]"),
        ({"annotations": [annotation([0], 1)]}, r"annotations\[0\] has the image_id \[0\], which is not a"),
        ({"annotations": [7]}, r"annotations\[0\] is no object"),
        ({"annotations": {"a": 1}}, r"is not a COCO annotation file \('annotations'\)"),
        ({"images": [{"id": [1], "file_name": "a.png"}]}, r"images\[0\] has the id \[1\]"),
        ({"images": [{"id": 1, "file_name": 7}]}, r"images\[0\] has the file_name 7, which is not text"),
        ({"categories": [{"id": 1, "name": 12}]}, r"categories\[0\] has the name 12, which is not text"),
        ({"annotations": [annotation(0, 1, box=["a", 2, 3, 4])]}, r"the bbox \['a', 2, 3, 4\] is not"),
    ],
)
def test_broken_files(tmp_path: Path, put, changed: dict[str, Any], said: str):
    put("a.png")
    spec = write(tmp_path, [annotation(0, 1, segmentation=SQUARE)], names=["a.png"], **changed)
    with pytest.raises(InputError, match=said) as caught:
        open_sources([spec])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "segmentation", [[[1, 2, 3]], {"size": [9, 9], "counts": [81]}, {"size": [40, 50]}, [["a", "b"] * 3]]
)
def test_broken_segmentation_names_the_file_when_loaded(tmp_path: Path, put, segmentation: Any):
    put("a.png")
    (case,) = open_sources([write(tmp_path, [annotation(0, 1, segmentation=segmentation)], names=["a.png"])]).cases
    with pytest.raises(InputError, match=r"a\.json: a segmentation cannot be read \(.*\); export"):
        case.load()


def test_what_is_no_json(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder; give the annotation file itself"):
        open_sources([f"coco:{tmp_path}"])
    with pytest.raises(InputError, match="needs a file"):
        open_sources(["coco:?images=x"])
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: is not readable JSON"):
        open_sources([f"coco:{tmp_path / 'a.json'}"])
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(InputError, match=r"a\.json: is not a COCO annotation file"):
        open_sources([f"coco:{tmp_path / 'a.json'}"])


def test_box_without_area_is_no_box(tmp_path: Path, put):
    put("a.png")
    found = [annotation(0, 1, box=[5, 5, 0, 0], segmentation=SQUARE)]
    (case,) = open_sources([write(tmp_path, found, names=["a.png"])]).cases
    assert (case.has_mask, case.has_box) == (True, False)
    assert case.load().boxes is None


def test_crowds_are_left_out_and_found_unless_asked_for(tmp_path: Path, put):
    put("a.png")
    found = [annotation(0, 1, segmentation=SQUARE), annotation(0, 2, segmentation=SQUARE) | {"iscrowd": 1}]
    spec = write(tmp_path, found, names=["a.png"])
    collection = open_sources([spec])
    (case,) = collection.cases
    (finding,) = collection.findings
    assert (finding.kind, finding.case_ids) == ("crowd", ("coco/a",))
    assert (case.label, len(case.load().lesion_labels)) == ("benign", 1)
    (case,) = open_sources([f"{spec}?crowds=lesions"]).cases
    assert case.label == "malignant"


def test_images_without_annotations_are_normal_where_that_is_said(tmp_path: Path, put):
    names = ["lesion.png", "empty.png", "crowd.png"]
    for name in names:
        put(name)
    crowd = annotation(2, 1, segmentation=SQUARE) | {"iscrowd": 1}
    spec = write(tmp_path, [annotation(0, 1, segmentation=SQUARE), crowd], names=names)
    assert [case.label for case in open_sources([spec]).cases] == ["benign", None, None]
    collection = open_sources([f"{spec}?empty=normal"])
    assert [case.label for case in collection.cases] == ["benign", "normal", None]
    assert [case.has_mask for case in collection.cases] == [True, True, False]
    mask = collection.cases[1].load().lesion_mask
    assert mask is not None
    assert not mask.any()
    (finding,) = [found for found in collection.findings if found.kind == "image-without-mask"]
    assert finding.case_ids == ("coco/crowd",)
    with pytest.raises(InputError, match="empty=benign is not known; write empty=normal"):
        open_sources([f"{spec}?empty=benign"])


def test_the_patient_is_read_from_the_key_that_is_named(tmp_path: Path, put):
    images = [{"id": i, "file_name": f"{i}.png", "subject": who} for i, who in enumerate(["p1", 7, None])]
    for i in range(3):
        put(f"{i}.png")
    spec = write(tmp_path, [], names=[], images=images)
    assert [case.patient_id for case in open_sources([spec]).cases] == [None, None, None]
    assert [case.patient_id for case in open_sources([f"{spec}?patient=subject"]).cases] == ["p1", "7", None]
    with pytest.raises(InputError, match="unknown key of images 'subjet'; did you mean subject"):
        open_sources([f"{spec}?patient=subjet"])
    spec = write(tmp_path, [], names=[], images=[images[0] | {"subject": ["p1"]}])
    with pytest.raises(InputError, match="image 0 has the subject"):
        open_sources([f"{spec}?patient=subject"])
