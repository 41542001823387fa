from __future__ import annotations

import pytest
from tests.inference.hand_made_package import write_package

from bustle.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.open(write_package(tmp_path_factory.mktemp("model") / "hand.bustle"), device="cpu")
