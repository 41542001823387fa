from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _double(double_precision: None) -> None:
    pass
