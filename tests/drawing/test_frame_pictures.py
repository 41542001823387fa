from __future__ import annotations

import numpy as np
import pytest

from bustle.drawing.frame_pictures import COLOURS, draw_frame, sheet


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where it is, but for the rounding of smooth lines."""
    return (np.abs(picture.astype(int) - colour) <= 8).all(axis=-1)


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (40, 50)])
def test_a_frame_of_any_shape_fits_and_its_lesions_have_their_colours(size: tuple[int, int]):
    image = np.full((1, *size), 80, np.uint8)
    masks = [np.zeros(size, bool) for _ in range(2)]
    masks[0][size[0] // 8 : size[0] // 3, size[1] // 8 : size[1] // 2] = True
    masks[1][size[0] // 2 : -size[0] // 8, size[1] // 3 : -size[1] // 4] = True
    picture = draw_frame(image, [(1, masks[0]), (8, masks[1])], caption="", size=(198, 240))
    assert picture.shape == (198, 240, 3)
    first, second = has(picture, COLOURS[0]), has(picture, COLOURS[7 % len(COLOURS)])
    assert first.any()
    assert second.any()
    assert np.flatnonzero(first.any(axis=1))[0] < np.flatnonzero(second.any(axis=1))[0]


def test_a_frame_without_lesions_is_grey():
    picture = draw_frame(np.full((1, 60, 60), 80, np.uint8), [], caption="", size=(98, 80))
    assert (picture.min(axis=-1) == picture.max(axis=-1)).all()
    assert set(np.unique(picture)) == {0, 80}


def test_a_sheet_goes_row_by_row():
    tiles = [np.full((10, 20, 3), value, np.uint8) for value in (1, 2, 3, 4, 5)]
    found = sheet(tiles, columns=3)
    assert found.shape == (3, 20, 60)
    assert found[0, ::10, ::20].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert sheet(tiles[:1], columns=3).shape == (3, 10, 20)
    with pytest.raises(ValueError, match="needs a tile"):
        sheet([], columns=3)
