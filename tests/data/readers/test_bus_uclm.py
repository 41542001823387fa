from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.sources import open_sources

SIZE = (40, 50)


def coloured(*regions: tuple[str, int, int, int, int], size=SIZE) -> np.ndarray:
    mask = np.zeros((*size, 3), np.uint8)
    for colour, top, bottom, left, right in regions:
        mask[top:bottom, left:right] = {"green": (0, 255, 0), "red": (255, 0, 0)}[colour]
    return mask


@pytest.fixture
def spec(tmp_path: Path, put) -> str:
    masks = {
        "ALWI_000": coloured(),
        "ALWI_001": coloured(("green", 2, 9, 2, 9), ("green", 20, 30, 20, 30)),
        "BEMA_010": coloured(("green", 2, 9, 2, 9), ("red", 20, 30, 20, 30)),
    }
    for stem, mask in masks.items():
        put(f"images/{stem}.png")
        put(f"masks/{stem}.png", mask)
    info = "Image;Label;Doppler\nALWI_000.png;Normal;No\nALWI_001.png;Benign;No\nBEMA_010.png;Malignant;Yes\n"
    (tmp_path / "INFO.csv").write_text("\ufeff" + info, encoding="utf-8")
    return f"bus-uclm:{tmp_path}"


def test_layout(spec: str):
    collection = open_sources([spec])
    normal, benign, malignant = collection.cases
    assert [case.label for case in collection.cases] == ["normal", "benign", "malignant"]
    assert [case.patient_id for case in collection.cases] == ["ALWI", "ALWI", "BEMA"]
    assert malignant.case_id == "bus-uclm/BEMA_010"
    assert malignant.metadata == {"doppler": "Yes"}
    assert collection.findings == ()
    assert not normal.load().lesion_mask.any()
    assert benign.load().lesion_labels == ("benign", "benign")
    sample = pickle.loads(pickle.dumps(malignant)).load()
    assert sample.lesion_labels == ("benign", "malignant")
    assert sample.lesion_mask[5, 5] == 1
    assert sample.lesion_mask[25, 25] == 2
    assert int((sample.lesion_mask > 0).sum()) == 49 + 100


@pytest.mark.parametrize("info", [None, "Image;Doppler\nALWI_000.png;No\nALWI_001.png;No\nBEMA_010.png;Yes\n"])
def test_without_a_label_column_the_colours_decide(tmp_path: Path, spec: str, info: str | None):
    (tmp_path / "INFO.csv").unlink()
    if info:
        (tmp_path / "INFO.csv").write_text(info)
    collection = open_sources([spec])
    assert [case.label for case in collection.cases] == ["normal", "benign", "malignant"]
    assert [finding.kind for finding in collection.findings] == ([] if info else ["missing-table"])


def test_mask_larger_than_its_rgba_image_is_resized(tmp_path: Path, spec: str, put):
    rgba = np.random.default_rng(0).integers(0, 256, (20, 25, 4), dtype=np.uint8)
    rgba[..., 3] = 255
    put("images/BEMA_010.png", rgba)
    collection = open_sources([spec])
    assert [(finding.kind, finding.case_ids) for finding in collection.findings] == [
        ("mask-resized", ("bus-uclm/BEMA_010",))
    ]
    sample = collection.cases[2].load()
    assert sample.image.shape == (3, 20, 25)
    expected = np.zeros((20, 25), np.uint8)
    expected[1:5, 1:5], expected[10:15, 10:15] = 1, 2
    assert sample.lesion_mask.shape == (20, 25)
    assert (sample.lesion_mask != expected).sum() <= 8


def test_what_does_not_match_is_a_finding(tmp_path: Path, spec: str, put):
    (tmp_path / "masks" / "ALWI_001.png").unlink()
    put("masks/ZZZZ_000.png", coloured())
    (tmp_path / "INFO.csv").write_text("Image;Label\nALWI_000.png;Normal\nALWI_001.png;Benign\nGONE_000.png;Normal\n")
    collection = open_sources([spec])
    assert {finding.kind: finding.case_ids for finding in collection.findings} == {
        "image-without-mask": ("bus-uclm/ALWI_001",),
        "image-without-row": ("bus-uclm/BEMA_010",),
        "mask-without-image": (),
        "row-without-image": (),
    }


def test_broken_table(tmp_path: Path, spec: str):
    (tmp_path / "INFO.csv").write_text("Frame;Label\nALWI_000.png;Normal\n")
    with pytest.raises(InputError, match=r"INFO\.csv: has no column 'Image'"):
        open_sources([spec])
    (tmp_path / "INFO.csv").write_text("Image;Label\nALWI_000.png;cancer\n")
    with pytest.raises(InputError, match=r"INFO\.csv: unknown class name 'cancer'"):
        open_sources([spec])


@pytest.mark.parametrize("has_table", [True, False])
def test_a_white_mask_tells_no_class(tmp_path: Path, spec: str, put, has_table: bool):
    white = np.zeros((*SIZE, 3), np.uint8)
    white[5:20, 5:20] = 255
    put("masks/ALWI_001.png", white)
    if not has_table:
        (tmp_path / "INFO.csv").unlink()
    with pytest.raises(InputError, match="neither green nor red") as caught:
        [case.load() for case in open_sources([spec]).cases]
    assert caught.value.path == tmp_path / "masks" / "ALWI_001.png"
