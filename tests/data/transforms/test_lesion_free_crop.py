from __future__ import annotations

import numpy as np
import pytest

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.data.transforms import opencv_executor
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.drawn_transform import IDENTITY

SIZE = (96, 128)


def augmentation(*more: Component, probability: float = 1.0, **options: object) -> Augmentation:
    crop = Component("lesion_free_crop", {"probability": probability, **options})
    return Augmentation.from_components([crop, *more], size=SIZE)


def lesions() -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[30:60, 20:50] = 1
    mask[10:20, 60:70] = 2
    return mask


def test_no_window_meets_a_lesion_and_all_lie_in_the_picture():
    found = set()
    for epoch in range(200):
        drawn = augmentation(area=[0.1, 0.4]).draw("a", seed=0, epoch=epoch, lesions=lesions())
        if not drawn.avoids_lesions:
            continue
        _, (mask,) = opencv_executor.apply(np.full((1, *SIZE), 90, np.uint8), [lesions()], drawn)
        assert not mask.any()
        image, _ = opencv_executor.apply(np.full((1, *SIZE), 90, np.uint8), [lesions()], drawn)
        assert (image[0, 2:-2, 2:-2] == 90).all()  # nothing from outside, which is 0
        found.add(drawn.source_from_target)
    assert len(found) > 150


def test_the_margin_is_kept():
    """Of a lesion in the middle row only windows above and below remain, and those keep their distance."""
    mask = np.zeros(SIZE, np.uint8)
    mask[48, :] = 1
    for epoch in range(100):
        drawn = augmentation(area=[0.05, 0.2], margin=0.1).draw("a", seed=0, epoch=epoch, lesions=mask)
        if drawn.avoids_lesions:
            _, _, _, _, scale, top = drawn.source_from_target
            first, last = top - 0.5 * scale, top + (SIZE[0] - 0.5) * scale
            assert last <= 48 - 9 or first >= 49 + 9


@pytest.mark.parametrize("mask", [None, np.zeros(SIZE, np.uint8), np.ones(SIZE, np.uint8)])
def test_without_a_known_lesion_or_room_beside_it_the_picture_stays(mask: np.ndarray | None):
    drawn = augmentation().draw("a", seed=0, epoch=0, lesions=mask)
    assert drawn.source_from_target == IDENTITY
    assert not drawn.avoids_lesions


def test_it_is_drawn_as_often_as_asked():
    drawn = [augmentation(probability=0.3).draw("a", seed=0, epoch=e, lesions=lesions()) for e in range(300)]
    assert 0.2 < np.mean([one.avoids_lesions for one in drawn]) < 0.4


def test_wrong_options_are_told():
    with pytest.raises(InputError, match="probability"):
        augmentation(probability=2.0)
    with pytest.raises(InputError, match="area"):
        augmentation(area=[0.0, 0.5])
