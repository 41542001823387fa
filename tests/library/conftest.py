from __future__ import annotations

from pathlib import Path

import pytest
from tests.inference.hand_made_package import write_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("library") / "hand.bustle")
