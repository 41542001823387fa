"""Coarser copies of volumes."""

from __future__ import annotations

import numpy as np

from bustle.data.prepared.joined_voxels import averaged, steps_to


def test_blocks_become_their_mean_and_what_is_left_over_is_cut_off():
    blocks = np.repeat(np.repeat(np.arange(8, dtype=np.uint8).reshape(2, 2, 2) * 10, 3, axis=1), 2, axis=2)
    noisy = np.concatenate([blocks - (blocks > 0), blocks + 1], axis=0)[[0, 2, 1, 3]]
    np.testing.assert_array_equal(averaged(noisy, steps=(2, 3, 2))[:, 0, 0], [0, 40])
    assert averaged(noisy[:3], steps=(2, 4, 3)).shape == (1, 1, 1)


def test_no_axis_is_given_up_for_the_others():
    assert steps_to(10, shape=(1, 1000, 1), spacing=np.ones(3)) == [1, 91, 1]
