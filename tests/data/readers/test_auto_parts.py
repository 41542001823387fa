"""What is a part of a known data set is not taken for a data set, and labels= is never passed over."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.sources import open_sources
from bustle.io.raster import write_png

SCAN = np.tile(np.arange(64, dtype=np.uint8), (64, 1))


@pytest.mark.parametrize(
    ("part", "reader"),
    [
        ("breast/BrEaST-Lesions_USG-images_and_masks", "breast"),
        ("bus-bra/bus_data.csv", "bus-bra"),
        ("bus-bra/Images", "bus-bra"),
        ("busi/Dataset_BUSI_with_GT/benign", "busi"),
    ],
)
def test_a_part_of_a_known_data_set_is_told(real_data: Path, part: str, reader: str):
    with pytest.raises(InputError, match=f"is a part of a data set that {reader}: reads; give "):
        open_sources([str(real_data / part)])


def test_a_known_data_set_takes_no_labels(real_data: Path):
    with pytest.raises(InputError, match="is read as busi:, which knows its classes; leave labels= out"):
        open_sources([f"auto:{real_data / 'busi'}?labels=B:benign"])


@pytest.mark.parametrize("labels", ["", "?labels=0:benign,1:malignant"])
def test_yolo_numbers_mean_what_is_said(tmp_path: Path, labels: str):
    for number in (0, 1):
        write_png(tmp_path / "images" / f"{number}.png", SCAN)
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"{number}.txt").write_text(f"{number} .5 .5 .4 .4\n")
    found = [case.label for case in open_sources([f"auto:{tmp_path}{labels}"]).cases]
    assert found == (["benign", "malignant"] if labels else [None, None])


def test_a_yolo_box_at_the_edge_stays_within(tmp_path: Path):
    write_png(tmp_path / "images" / "a.png", SCAN)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 .5 1.0 .2 0\n")
    (case,) = open_sources([f"auto:{tmp_path}"]).cases
    (box,) = case.load().boxes
    assert (box.y_start, box.y_stop) == (63, 64)


@pytest.mark.parametrize(
    ("category", "labels", "expected"),
    [
        ("malignant", "", "malignant"),
        ("B", "", "benign"),
        ("Fibroadenoma", "", None),
        ("Fibroadenoma", "?labels=fibroadenoma:benign", "benign"),
    ],
)
@pytest.mark.parametrize("reader", ["auto", "coco"])
def test_coco_categories_mean_what_is_said(
    tmp_path: Path, reader: str, category: str, labels: str, expected: str | None
):
    write_png(tmp_path / "a.png", SCAN)
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 8, 20, 20], "segmentation": []}],
        "categories": [{"id": 1, "name": category}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (case,) = open_sources([f"{reader}:{tmp_path / 'annotations.json'}{labels}"]).cases
    assert case.label == expected
