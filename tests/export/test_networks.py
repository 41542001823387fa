from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.export.package import KnownOfRun, write_package
from bustle.models import zoo

EXPORTED = [name for name in zoo.ids() if zoo.get(name).exports]


@pytest.mark.full
@pytest.mark.parametrize("network", EXPORTED)
def test_every_network_can_be_packaged(network: str, make_weights: Callable, tmp_path: Path):
    """For any number of images at once: the check that belongs to every export takes several."""
    recipe, weights = make_weights(network)
    record = write_package(
        tmp_path / "m.bustle",
        recipe=recipe,
        weights=weights,
        known=KnownOfRun(),
    )
    assert record.parity.flipped_pixels <= 10
    assert [name.split(" 2")[0].split(" 1")[0] for name in record.parity.runtimes] == ["OpenVINO", "ONNX Runtime"]


@pytest.mark.parametrize("network", [name for name in zoo.ids() if name not in EXPORTED])
def test_a_network_that_cannot_be_exported_says_why(network: str, make_weights: Callable, tmp_path: Path):
    recipe, weights = make_weights(network)
    with pytest.raises(InputError, match=r"export.*; use the run folder itself"):
        write_package(
            tmp_path / "m.bustle",
            recipe=recipe,
            weights=weights,
            known=KnownOfRun(),
        )
    assert not list(tmp_path.iterdir())
