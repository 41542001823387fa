from __future__ import annotations

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.data.readers._lesions import NumberedMask, UnitedMasks, paint_instances

SIZE = (40, 50)


def test_lesion_i_is_file_i(put, block):
    first, second = block(2, 10, 2, 10), block(20, 30, 20, 40)
    files = (put("1.png", first), put("2.png", second))
    instances, labels = UnitedMasks(files, "malignant").read(SIZE)
    np.testing.assert_array_equal(instances, (first > 0) * 1 + (second > 0) * 2)
    assert labels == ("malignant", "malignant")


@pytest.mark.parametrize("inner_first", [True, False])
def test_overlap_goes_to_the_smaller_lesion_and_the_union_is_kept(block, inner_first: bool):
    outer, inner = block(0, 20, 0, 20) > 0, block(5, 10, 5, 30) > 0
    masks = [inner, outer] if inner_first else [outer, inner]
    instances, kept = paint_instances(masks, size=SIZE)
    assert kept == (0, 1)
    number = 1 if inner_first else 2
    np.testing.assert_array_equal(instances == number, inner)
    np.testing.assert_array_equal(instances > 0, outer | inner)


def test_empty_and_repeated_masks_are_no_lesions(block):
    empty, lesion, other = block(0, 0, 0, 0) > 0, block(2, 8, 2, 8) > 0, block(20, 30, 20, 30) > 0
    instances, kept = paint_instances([empty, lesion, lesion.copy(), other], size=SIZE)
    assert kept == (1, 3)
    np.testing.assert_array_equal(instances, lesion * 1 + other * 2)


def test_no_files_mean_no_lesion():
    instances, labels = UnitedMasks((), "normal").read(SIZE)
    assert instances.shape == SIZE
    assert instances.dtype == np.uint8
    assert not instances.any()
    assert labels == ()


def test_a_lesion_in_a_normal_case_has_no_class(put, block):
    _, labels = UnitedMasks((put("1.png", block(2, 9, 2, 9)),), "normal").read(SIZE)
    assert labels == (None,)


def test_binary_mask_is_one_lesion_even_in_pieces(put, block):
    pieces = block(2, 9, 2, 9) | block(20, 30, 20, 30)
    instances, labels = NumberedMask(put("1.png", pieces), "benign").read(SIZE)
    np.testing.assert_array_equal(instances, pieces > 0)
    assert labels == ("benign",)


def test_numbered_mask_keeps_its_numbers(put, block):
    numbered = block(2, 9, 2, 9, value=1) + block(20, 30, 20, 30, value=2)
    instances, labels = NumberedMask(put("1.png", numbered), None).read(SIZE)
    np.testing.assert_array_equal(instances, numbered)
    assert labels == (None, None)


def test_mask_of_another_size_is_refused(put, block):
    file = put("small.png", block(2, 9, 2, 9, size=(30, 20)))
    for source in (UnitedMasks((file,), None), NumberedMask(file, None)):
        with pytest.raises(InputError, match=r"small\.png: the mask is 20 x 30 pixels, its image 50 x 40; give"):
            source.read(SIZE)


def test_more_lesions_than_a_byte_can_number(block):
    masks = [block(i // 50, i // 50 + 1, i % 50, i % 50 + 1) > 0 for i in range(255)]
    assert paint_instances(masks[:254], size=SIZE)[0].max() == 254
    with pytest.raises(InputError, match="255 lesions"):
        paint_instances(masks, size=SIZE)
