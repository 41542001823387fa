"""What a training starts from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.inference.hand_made_package import write_package

from bustle.core.errors import InputError
from bustle.experiments.initial_weights import weights_of


def test_a_package_in_a_zip_is_to_be_unpacked(tmp_path: Path):
    folder = write_package(tmp_path / "hand.bustle")
    assert weights_of(folder) == folder / "weights.safetensors"
    packed = Path(shutil.make_archive(str(tmp_path / "hand"), "zip", folder))
    with pytest.raises(InputError, match="is a package in a zip; unpack it and give the folder"):
        weights_of(packed)
