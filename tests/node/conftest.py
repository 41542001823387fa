"""Stations of a made-up hospital, all on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import network_uses
from tests.inference.hand_made_package import write_package


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """In this room stations talk to each other, and to nobody beyond this machine."""
    seen = len(network_uses)
    yield
    assert [use for use in network_uses[seen:] if "'127.0.0.1'" not in use and "getaddrinfo (None" not in use] == []


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("model") / "made.bustle")


@pytest.fixture(scope="session")
def scan() -> np.ndarray:
    """One grey picture `H W` with something bright in it, which the made package takes for a lesion."""
    noise = np.random.default_rng(0).integers(20, 60, (64, 64), dtype=np.uint8)
    noise[20:40, 24:44] += 180
    return noise
