"""The spatial pyramid of Chen et al. in three dimensions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models.baselines.chen_2018_3d import Config
from bustle.models.blocks.pyramid_pool import pyramid_pool
from bustle.models.description import describe


def test_the_pyramid_takes_the_maxima_of_cells():
    maps = np.random.default_rng(0).normal(size=(2, 3, 8, 4, 8))
    wanted = []
    for grid in (4, 2, 1):
        d, h, w = 8 // grid, 4 // grid, 8 // grid
        for i in range(grid):
            for j in range(grid):
                for k in range(grid):
                    cell = maps[:, :, i * d : (i + 1) * d, j * h : (j + 1) * h, k * w : (k + 1) * w]
                    wanted.append(cell.reshape(2, 3, -1).max(axis=2))
    assert len(wanted) == 73
    np.testing.assert_array_equal(pyramid_pool(torch.from_numpy(maps), (4, 2, 1)), np.stack(wanted, axis=-1))


def test_cells_of_small_maps_overlap():
    assert pyramid_pool(torch.randn(1, 5, 2, 3, 2), (4, 1)).shape == (1, 5, 65)


def test_the_head_adds_its_parameters_to_the_v_net():
    recipe = load_recipe("chen_2018_3d")
    assert describe(recipe).params == 14_700_146 + (73 * 256 + 1) * 512 + 513 * 2
    assert recipe.published_as["method"] == "Chen et al. (2018)"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"grids": []}, "grids must be"),
        ({"grids": [0]}, "grids must be"),
        ({"hidden": 0}, "hidden must"),
        ({"dropout": 1.0}, "dropout must"),
        ({"width": 0}, "width must"),
    ],
)
def test_impossible_settings_are_told(settings: dict, problem: str):
    with pytest.raises(InputError, match=problem):
        from_mapping(Config, settings, where="model.config")
