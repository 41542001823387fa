"""What is said of a split that was made by hand: cases twice, no validation, patients on both sides."""

from __future__ import annotations

from collections.abc import Sequence

from tests.data import speckle_frames as made

from bustle.core.recipe import load_protocol
from bustle.core.types import Case
from bustle.data.splits.split_warnings import split_warnings
from bustle.data.splits.splits import Fold, Splits

CASES = [made.memory_case(str(number), label="benign", patient=f"p{number // 2}") for number in range(6)]
UNKNOWN = [made.memory_case(str(number), label="benign") for number in range(6)]


def warnings_of(
    fold: Fold, *, protocol: str = "strict", cases: Sequence[Case] = CASES, groups: dict[str, str] | None = None
) -> list[str]:
    fold = Fold(*(tuple(f"made/{name}" for name in part) for part in (fold.train, fold.val, fold.test)))
    splits = Splits("strict", protocol, 0, (fold,), (), groups or {})
    (found,) = split_warnings(splits, cases=cases, protocol=load_protocol(protocol))
    return found


def test_nothing_is_said_of_a_split_as_the_protocol_makes_it():
    assert warnings_of(Fold(("0", "1"), ("2", "3"), ("4", "5"))) == []


def test_cases_that_stand_twice_are_named():
    (warning,) = warnings_of(Fold(("0", "1", "1"), ("2", "3"), ("4", "5", "4", "4")))
    assert warning == "fold 0 has 2 cases in a part more than once, which count as often (made/1, made/4)"


def test_an_empty_validation_part_is_said_where_the_protocol_has_one():
    (warning,) = warnings_of(Fold(("0", "1", "2", "3"), (), ("4", "5")))
    assert warning == "fold 0 has no validation part: its last epoch is kept, whichever is best"
    assert warnings_of(Fold(("0", "1", "2", "3"), (), ("4", "5")), protocol="rmtl") == []


def test_a_patient_in_training_and_test_is_a_leak_that_is_named():
    for fold in (Fold(("0", "1", "4"), ("2", "3"), ("5",)), Fold(("0", "1"), ("2", "3", "4"), ("5",))):
        (warning,) = warnings_of(fold)
        assert warning == "LEAK: fold 0 trains on 1 patients that it is also tested on (made/p2)"


def test_near_duplicates_of_unknown_patients_are_a_leak_too():
    groups = {"made/0": "made/0", "made/5": "made/0"}
    (warning,) = warnings_of(Fold(("0", "1"), ("2",), ("4", "5")), cases=UNKNOWN, groups=groups)
    assert "LEAK" in warning
    assert "(made/0)" in warning


def test_an_epoch_that_is_chosen_on_test_cases_is_a_leak():
    (warning,) = warnings_of(Fold(("0", "1"), ("4", "5"), ("4", "5")))
    assert warning == "LEAK: fold 0 chooses its epoch on 2 of its test cases (made/4, made/5)"


def test_what_a_published_protocol_does_itself_is_told_by_its_caveats():
    """One chooses the epoch on the test part, both split images as if they were independent."""
    assert warnings_of(Fold(("0", "1", "2"), ("3", "4", "5"), ("3", "4", "5")), protocol="acsnet") == []
    assert warnings_of(Fold(("0", "1", "2"), (), ("3", "4", "5")), protocol="rmtl") == []


def test_a_class_that_only_the_other_parts_have_is_named():
    labels = ("benign", "benign", "benign", "malignant", "normal", None)
    cases = [made.memory_case(str(number), label=label) for number, label in enumerate(labels)]
    (warning,) = warnings_of(Fold(("0", "1"), ("2", "3"), ("4", "5")), cases=cases)
    assert warning == "fold 0 trains on no case of malignant, normal, which its other parts have"
    assert warnings_of(Fold(("0", "3", "4"), ("1",), ("2", "5")), cases=cases) == []
