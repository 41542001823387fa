"""The networks of all ablations, built and run at full size without memory: each counts as `models show` says."""

from __future__ import annotations

import pytest

from bustle.core.recipe import load_recipe, recipe_ids
from bustle.models.counting import count
from bustle.models.counts import network_key, shipped_counts


def distinct_networks() -> list[str]:
    """One ablation per network that no recipe has."""
    base = {network_key(load_recipe(name)) for name in recipe_ids()}
    by_network: dict[str, str] = {}
    for name in recipe_ids(ablations=True):
        key = network_key(load_recipe(name))
        if key not in base:
            by_network.setdefault(key, name)
    return list(by_network.values())


@pytest.mark.parametrize("name", distinct_networks())
def test_the_network_of_an_ablation_is_as_described(name: str):
    assert count(load_recipe(name)) == shipped_counts().get(name), "run scripts/generate_systems_table.py"
