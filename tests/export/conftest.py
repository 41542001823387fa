"""Weights of small networks, and the recipes that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bustle.core.config import Component, to_mapping
from bustle.core.data_section import ImageData, PatchData
from bustle.core.recipe import ModelSection, Recipe
from bustle.models import zoo

MakeWeights = Callable[..., tuple[Recipe, Sequence[Path]]]


@pytest.fixture(scope="session")
def make_weights(tmp_path_factory: pytest.TempPathFactory) -> MakeWeights:
    """Makes the recipe of a network with its tiny settings, and `folds` files of random weights."""

    def make(network: str, *, folds: int = 1, refinements: int = 0) -> tuple[Recipe, Sequence[Path]]:
        spec = zoo.get(network)
        data = ImageData(size=(64, 64))
        if spec.dims == 3:
            data = PatchData(size=(32, 32, 32), spacing_mm=0.5, channels=1, mean=(0,), std=(1,))
        recipe = Recipe(
            id=f"{network}_tiny",
            title=f"Tiny {network}",
            citation="A paper",
            model=ModelSection(id=network, config=to_mapping(spec.tiny), refinements=refinements),
            data=data,
            losses=(Component("class_cross_entropy"),),
            optimizer=Component("adam"),
            protocol="rmtl",
            deviations=("It is tiny.",),
        )
        run = tmp_path_factory.mktemp(network)
        weights = [run / f"fold-{number}" / "best.safetensors" for number in range(folds)]
        for seed, path in enumerate(weights):
            torch.manual_seed(seed)
            built = zoo.build(network, recipe.model.config, in_channels=data.channels, class_count=2)
            state = built.state_dict()
            path.parent.mkdir()
            save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path)
        return recipe, weights

    return make
