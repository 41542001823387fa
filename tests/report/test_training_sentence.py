from __future__ import annotations

import pytest

from bustle.core.run_provenance import Fingerprint, TaughtCases, numbers_of_cases
from bustle.report.training_sentence import UNKNOWN, trained_on

BUSI = TaughtCases(
    source="busi",
    cases=624,
    patients=0,
    without_patient=624,
    classes={"benign": 350, "malignant": 168, "normal": 106},
)
BRA = TaughtCases(source="bus-bra", cases=1001, patients=510, classes={"benign": 608, "malignant": 293})


@pytest.mark.parametrize(
    ("taught", "networks", "volumes", "said"),
    [
        (
            [BUSI, BRA],
            1,
            False,
            "The model was trained, and its epoch chosen, on 624 images of busi (350 benign, 168 malignant, 106 "
            "normal) from patients that are not named, and 1,001 images of bus-bra (608 benign, 293 malignant, 100 "
            "without a class) from 510 patients.",
        ),
        (
            [TaughtCases(source="abus", cases=30, patients=1, without_patient=2)],
            5,
            True,
            "The model was trained, and its epoch chosen, on 30 volumes of abus without classes from 1 patient and "
            "2 without a patient id. Each of the 5 networks left out the volumes of its own fold, on which it was "
            "tested.",
        ),
        (
            numbers_of_cases({"busi": Fingerprint(cases=1, sha256="")}),
            2,
            False,
            "The model was trained with 1 image of busi; of what classes and patients is not recorded.",
        ),
        ([], 1, False, UNKNOWN),
    ],
)
def test_what_a_model_was_trained_on_is_a_sentence(taught, networks, volumes, said):
    assert trained_on(taught, networks=networks, volumes=volumes) == said
