"""Training cases as embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from bustle.core.errors import InputError
from bustle.export.embedded_cases import WIDTH, Kind, embed_cases


def test_cases_that_are_alike_stay_alike():
    random = np.random.default_rng(0)
    centres = {
        Kind("one", "benign"): 0,
        Kind("one", "malignant"): 40,
        Kind("two", "malignant"): 80,
    }
    kinds = [kind for kind in centres for _ in range(40)]
    features = random.normal(size=(120, 200)).astype(np.float32)
    features[:, 0] += [centres[kind] for kind in kinds]
    projection, cases = embed_cases(features, kinds)
    assert (cases.width, cases.count) == (WIDTH, 120)
    assert {source: set(classes) for source, classes in cases.embeddings.items()} == {
        "one": {"benign", "malignant"},
        "two": {"malignant"},
    }
    embeddings = (features - projection.offset) @ projection.matrix
    for kind, own in zip(kinds, embeddings, strict=True):
        first, *others = cases.nearest(own)
        assert first.distance == 0, "the case itself, rounded in the same way"
        assert {(case.source, case.class_name) for case in others} == {kind}
    nearest_other = [cases.nearest(own, count=2)[1].distance for own in embeddings]
    assert abs(np.median(nearest_other) - 1) < 1e-6


@pytest.mark.parametrize("different", [0, 3])
def test_cases_that_cannot_be_told_apart(different: int):
    features = np.zeros((12, 5), np.float32)
    features[:different] = np.arange(different)[:, None]
    with pytest.raises(InputError, match="look all alike; export it without them"):
        embed_cases(features, [Kind("one", "benign")] * 12)


def test_fewer_cases_than_numbers():
    features = np.random.default_rng(1).normal(size=(7, 300)).astype(np.float32)
    _, cases = embed_cases(features, [Kind("one", "benign")] * 7)
    assert (cases.width, cases.count) == (6, 7)
