"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets beside the repository (BUSI, BUS-BRA, BrEaST, weights)."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout (../shared/data)")
    return REAL_DATA


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never touch the user's own cache folder."""
    monkeypatch.setenv("BUSTLE_CACHE", str(tmp_path_factory.getbasetemp() / "bustle-cache"))
