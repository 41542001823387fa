"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from tests.network_use import on_network_use

os.environ.setdefault("OMP_NUM_THREADS", "1")

network_uses: list[str] = []
on_network_use(network_uses.append)

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported meanwhile stays: no test looks through it for garbage, which takes long."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # libraries tell at the exit what they take for leaks


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


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """No test, and nothing that bustle does in one, looks a host up or connects to it."""
    seen = len(network_uses)
    yield
    assert network_uses[seen:] == []


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Networks and tensors are made in float64.

    Two ways to compute the same sum differ by rounding, and how much of it there is depends on the processor. In
    float64 it is a billionth of what any tolerance here allows, on every processor.
    """
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are written as if Matplotlib was not installed: plots take most of the time of a tiny evaluation."""
    _hide_plots(monkeypatch)


@pytest.fixture(scope="module")
def module_without_plots() -> Iterator[None]:
    """The same for all of a module, what its fixtures train and score included."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _hide_plots(monkeypatch)
        yield


def _hide_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    for page in ("page", "evaluation_page", "run_page", "comparison_page"):
        monkeypatch.setattr(f"bustle.report.{page}.can_draw_plots", lambda: False)
