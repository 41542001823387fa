"""What a package remembers of its training, as a prediction tells it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.inference.hand_made_package import scene, write_package

from bustle.core.config import to_mapping
from bustle.core.errors import InputError
from bustle.data.relations.seen_images import image_sketch
from bustle.inference.finding import finding
from bustle.inference.known_cases import SEEN
from bustle.inference.package import Package
from bustle.inference.prediction_files import read_prediction, write_prediction
from bustle.inference.predictor import Predictor
from bustle.inference.training_cases import TrainingCases, packed

CASES = TrainingCases(
    width=1,
    unit=10.0,
    embeddings={
        "busi": {"malignant": packed(np.array([[-20], [60]], np.int8))},
        "site": {"benign": packed(np.array([[-50]], np.int8))},
    },
)


def test_a_prediction_names_the_most_similar_cases(tmp_path: Path):
    predictor = Predictor.open(write_package(tmp_path / "hand.bustle", cases=CASES), device="cpu")
    image = scene(64, 64)
    embedding = round(100 * (float(image.mean()) / 255 - 0.5) / 0.5)
    assert embedding == -42
    found = predictor.predict(image, case_id="a")
    assert [(case.source, case.class_name) for case in found.similar_cases] == [
        ("site", "benign"),
        ("busi", "malignant"),
        ("busi", "malignant"),
    ]
    assert [case.distance for case in found.similar_cases] == pytest.approx([0.8, 2.2, 10.2])
    write_prediction(found, tmp_path / "a")
    told = json.loads((tmp_path / "a" / "prediction.json").read_text())
    assert told["similar_cases"][1] == to_mapping(found.similar_cases[1])
    assert set(told["similar_cases"][1]) == {"source", "class_name", "distance"}


def test_an_image_that_was_seen_in_training_is_flagged(tmp_path: Path):
    image = scene(64, 80)
    package = write_package(tmp_path / "hand.bustle", changes={"seen_images": [to_mapping(image_sketch(image))]})
    predictor = Predictor.open(package, device="cpu")
    found = predictor.predict(image, case_id="a")
    assert SEEN in found.remarks
    assert found.similar_cases == ()
    assert finding(found).endswith(f"; {SEEN}")
    assert SEEN not in predictor.predict(image[:, ::-1] // 2, case_id="b").remarks
    write_prediction(found, tmp_path / "a")
    assert SEEN in read_prediction(tmp_path / "a").remarks


def test_cases_without_an_embedding_to_compare_with_are_refused(tmp_path: Path):
    package = write_package(tmp_path / "hand.bustle", changes={"training_cases": to_mapping(CASES)})
    with pytest.raises(InputError, match=r"the outputs are mask_probs, class_probs, not .*embedding"):
        Package(package)
