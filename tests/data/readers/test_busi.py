from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bustle.core.errors import InputError
from bustle.data.readers import busi
from bustle.data.sources import open_sources

ROOT = "Dataset_BUSI_with_GT"


@pytest.fixture(scope="module")
def cases(real_data: Path):
    return {case.case_id: case for case in open_sources([f"busi:{real_data / 'busi'}"]).cases}


def test_complete_set(real_data: Path):
    collection = open_sources([f"busi:{real_data / 'busi'}"])
    assert Counter(case.label for case in collection.cases) == {"benign": 437, "malignant": 210, "normal": 133}
    assert sum(case.mask_files for case in collection.cases) == 798
    assert sum(case.mask_files > 1 for case in collection.cases) == 17
    assert all(case.has_mask for case in collection.cases)
    assert collection.findings == ()
    assert [case.case_id for case in collection.cases[:2]] == ["busi/benign (1)", "busi/benign (2)"]


def test_the_inner_folder_may_be_given(real_data: Path, cases):
    inner = open_sources([f"busi:{real_data / 'busi' / ROOT}"])
    assert [case.case_id for case in inner.cases] == list(cases)


def test_every_image_with_several_masks_is_their_union(real_data: Path, cases):
    several = [case for case in cases.values() if case.mask_files > 1]
    for case in several:
        sample = case.load()
        assert sample.lesion_mask is not None
        masks = [np.asarray(Image.open(file).convert("L")) > 0 for file in case.files[1:]]
        np.testing.assert_array_equal(sample.lesion_mask > 0, np.any(masks, axis=0), err_msg=case.case_id)
        assert set(np.unique(sample.lesion_mask)) == set(range(len(masks) + 1))
        assert sample.lesion_labels == (case.label,) * len(masks)
    assert [file.name for file in cases["busi/benign (195)"].files[1:]] == [
        "benign (195)_mask.png",
        "benign (195)_mask_1.png",
        "benign (195)_mask_2.png",
    ]


def test_normal_case_has_an_empty_lesion_mask(cases):
    sample = cases["busi/normal (7)"].load()
    assert sample.label == "normal"
    assert sample.lesion_mask.shape == sample.image.shape[1:]
    assert not sample.lesion_mask.any()
    assert sample.lesion_labels == ()


def test_coloured_and_grey_images(cases):
    assert cases["busi/benign (240)"].load().image.shape[0] == 3
    sample = pickle.loads(pickle.dumps(cases["busi/benign (1)"])).load()
    assert sample.image.shape[0] == 1
    assert sample.geometry.original_size == sample.image.shape[1:]
    assert sample.provenance["image"] == "benign (1).png"


def test_opaque_rgba_mask(put, block):
    lesion = block(5, 15, 5, 15)
    put(f"{ROOT}/benign/benign (1).png")
    path = put(f"{ROOT}/benign/benign (1)_mask.png", np.dstack([lesion] * 3 + [np.full_like(lesion, 255)]))
    (case,) = busi.read(path.parents[2], name="busi", options={}).cases
    np.testing.assert_array_equal(case.load().lesion_mask, lesion > 0)


def test_doubtful_files_are_findings(put, block):
    put("benign/benign (1).png")
    put("malignant/malignant (1).png")
    put("malignant/malignant (1)_mask.png", block(2, 9, 2, 9, size=(30, 30)))
    path = put("malignant/malignant (2)_mask.png", block(2, 9, 2, 9))
    collection = busi.read(path.parents[1], name="x", options={})
    assert [case.case_id for case in collection.cases] == ["x/benign (1)", "x/malignant (1)"]
    assert [case.has_mask for case in collection.cases] == [False, True]
    assert {(finding.kind, finding.case_ids) for finding in collection.findings} == {
        ("missing-folder", ()),
        ("image-without-mask", ("x/benign (1)",)),
        ("mask-without-image", ()),
        ("mask-size-mismatch", ("x/malignant (1)",)),
    }
    assert collection.cases[0].load().lesion_mask is None
    with pytest.raises(InputError, match="the mask is 30 x 30 pixels, its image 50 x 40"):
        collection.cases[1].load()


def test_wrong_layout(tmp_path: Path, put):
    with pytest.raises(InputError, match=r"none of the folders benign/, malignant/ and normal/; give the folder"):
        open_sources([f"busi:{tmp_path}"])
    (tmp_path / "benign").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        open_sources([f"busi:{tmp_path}"])
    with pytest.raises(InputError, match="is not a folder"):
        open_sources([f"busi:{put('a.png')}"])
    with pytest.raises(InputError, match="needs a folder; write busi:FOLDER"):
        open_sources(["busi:"])
    with pytest.raises(InputError, match=r"gone: does not exist"):
        open_sources([f"busi:{tmp_path / 'gone'}"])


def test_a_class_folder_of_another_name_is_refused(tmp_path: Path, put):
    put("benign/benign (1).png")
    put("malign/malign (1).png")
    with pytest.raises(InputError, match="unknown class folder 'malign'; did you mean malignant"):
        open_sources([f"busi:{tmp_path}"])


def test_masks_numbered_by_a_file_manager_are_masks(tmp_path: Path, put, block):
    put("benign/benign (1).png")
    put("benign/benign (1)_mask.png", block(5, 15, 5, 15))
    put("benign/benign (1)_mask (1).png", block(20, 25, 5, 15))
    (case,) = open_sources([f"busi:{tmp_path}"]).cases
    assert (case.mask_files, case.load().lesion_mask.max()) == (2, 2)
