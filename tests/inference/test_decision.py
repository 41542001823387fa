"""From class probabilities to words."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.inference.decision import decide, named


def test_probabilities_get_the_classes_names_in_their_order():
    found = named(np.array([0.25, 0.75], np.float32), classes=("malignant", "benign"))
    assert found == {"malignant": 0.25, "benign": 0.75}
    assert list(found) == ["malignant", "benign"]
    assert named(None, classes=("benign",)) is None
    with pytest.raises(ValueError, match="shorter"):
        named(np.array([1.0], np.float32), classes=("benign", "malignant"))


def test_the_most_probable_class_is_decided_and_the_first_of_equals():
    assert decide({"benign": 0.2, "malignant": 0.5, "normal": 0.3}) == "malignant"
    assert decide({"malignant": 0.5, "benign": 0.5}) == "malignant"
    assert decide({}) is None
    assert decide(None) is None
