"""Masks of another size than their image: refused, or resized to it where a person says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.readers._mask_sizes import fitted
from bustle.data.sources import open_sources


@pytest.fixture
def folder(tmp_path: Path, put, block) -> Path:
    """An image of 40 x 50 pixels whose mask, of twice its size, numbers two lesions."""
    put("images/a.png")
    lesions = block(10, 30, 10, 30, value=1, size=(80, 100)) + block(50, 60, 60, 90, value=2, size=(80, 100))
    put("masks/a.png", lesions)
    return tmp_path


def test_a_mask_of_another_size_is_refused_with_the_option_named(folder: Path):
    collection = open_sources([f"folder:{folder}"])
    assert [finding.kind for finding in collection.findings] == ["mask-size-mismatch"]
    with pytest.raises(InputError, match=r"the mask is 100 x 80 pixels, its image 50 x 40; .*add \?masks=resize"):
        collection.cases[0].load()


@pytest.mark.parametrize("spec", ["folder:{}?masks=resize", "{}?masks=resize"])
def test_resized_masks_keep_the_numbers_of_their_lesions(folder: Path, spec: str):
    collection = open_sources([spec.format(folder)])
    assert [finding.kind for finding in collection.findings] == ["mask-resized"]
    mask = collection.cases[0].load().lesion_mask
    assert mask is not None
    expected = np.zeros((40, 50), np.uint8)
    expected[5:15, 5:15], expected[25:30, 30:45] = 1, 2
    assert (mask == expected).all()


def test_masks_beside_each_other_are_resized_too(tmp_path: Path, put, block):
    for label in ("benign", "malignant"):
        put(f"{label}/{label} (1).png")
        put(f"{label}/{label} (1)_mask.png", block(10, 30, 10, 30, size=(80, 100)))
    (first, _) = open_sources([f"{tmp_path}?masks=resize"]).cases
    assert first.case_id == "busi/benign (1)"
    mask = first.load().lesion_mask
    assert mask is not None
    assert mask[5:15, 5:15].all()
    assert mask.sum() == 100


def test_another_word_is_refused(folder: Path):
    with pytest.raises(InputError, match="masks=scale is not known; write masks=resize"):
        open_sources([f"folder:{folder}?masks=scale"])


def test_a_volume_s_mask_is_never_resized():
    with pytest.raises(InputError, match="the mask is 6 x 5 x 4 pixels"):
        fitted(np.zeros((4, 5, 6), bool), (8, 10, 12), other="resize", path=Path("v.nrrd"))
