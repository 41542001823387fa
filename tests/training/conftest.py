"""A recipe and a few phantoms that train in a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bustle.core.recipe import Protocol, Recipe, load_protocol, load_recipe
from bustle.core.types import Case
from bustle.data.prepared.cache import CaseCache
from bustle.data.sources import open_sources
from bustle.data.splits.splits import Fold

TINY = Path(__file__).with_name("tiny.yaml")
PHANTOMS = "phantom:?cases=18&seed=0&size=64"


@pytest.fixture(scope="session")
def cases() -> Sequence[Case]:
    return open_sources([PHANTOMS]).cases


@pytest.fixture(scope="session")
def fold(cases: Sequence[Case]) -> Fold:
    ids = [case.case_id for case in cases]
    return Fold(train=tuple(ids[:9]), val=tuple(ids[9:15]), test=tuple(ids[15:]))


@pytest.fixture(scope="session")
def strict() -> Protocol:
    return load_protocol("strict")


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return load_recipe(str(TINY))


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """The tiny recipe with `--set` overrides."""
    return lambda *overrides: load_recipe(str(TINY), overrides=overrides)


@pytest.fixture
def cache(cases: Sequence[Case], recipe: Recipe) -> CaseCache:
    return CaseCache.open(cases, section=recipe.data)
