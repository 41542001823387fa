"""The most similar training cases, and what a package keeps of them."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from bustle.core.similar_case import SimilarCase
from bustle.inference.training_cases import TrainingCases, packed, rounded

AT = {
    "one": {"benign": [[0, 0], [3, 4]], "malignant": [[100, 0]]},
    "two": {"malignant": [[-6, 8], [0, -20]]},
}


def made(**changes) -> TrainingCases:
    embeddings = {
        source: {name: packed(np.array(vectors, np.int8)) for name, vectors in classes.items()}
        for source, classes in AT.items()
    }
    return TrainingCases(**{"width": 2, "unit": 5.0, "embeddings": embeddings} | changes)


def test_the_nearest_come_first_with_their_distance():
    found = made().nearest(np.array([0.4, -0.3], np.float32), count=3)
    assert found == (
        SimilarCase(source="one", class_name="benign", distance=0.0),
        SimilarCase(source="one", class_name="benign", distance=1.0),
        SimilarCase(source="two", class_name="malignant", distance=2.0),
    )
    assert made().count == len(made().nearest(np.zeros(2, np.float32))) == 5


def test_what_is_kept_of_a_case_is_no_more_than_its_bytes():
    vectors = np.array([[5, -5], [-128, 127], [0, 1]], np.int8)
    content = base64.b64decode(packed(vectors))
    assert len(content) == vectors.size
    assert packed(vectors) == packed(vectors[::-1]), "the order tells nothing"
    assert np.array_equal(rounded(np.array([300.0, -0.4, -128.0], np.float32)), [127, 0, -127])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"width": 3}, "3 bytes each"),
        ({"width": 257}, "from 1 to 256"),
        ({"unit": 0.0}, "unit above 0"),
        ({"embeddings": {}}, "of no case"),
        ({"embeddings": {"one": {"benign": "no base64!"}}}, "not base64"),
    ],
)
def test_a_damaged_record_is_refused(changes: dict, problem: str):
    with pytest.raises(ValueError, match=problem):
        made(**changes)
