from __future__ import annotations

import pytest

from bustle.core.recipe import load_protocol
from bustle.evaluation.positive_class import positive_class


@pytest.mark.parametrize(
    ("protocol", "classes", "positive"),
    [
        ("strict", ("benign", "malignant"), "malignant"),
        ("strict", ("malignant", "benign", "normal"), "malignant"),
        ("rmtl", ("benign", "malignant"), "benign"),  # its tables count benign as positive
        ("rmtl", ("normal", "lesion"), "lesion"),
        ("strict", ("normal", "lesion"), "lesion"),
        (None, ("malignant", "benign"), "malignant"),
        (None, ("normal", "lesion"), "lesion"),
    ],
)
def test_the_protocol_says_which_class_is_positive(protocol: str | None, classes: tuple[str, ...], positive: str):
    assert positive_class(classes, protocol=load_protocol(protocol) if protocol else None) == positive
