from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data import speckle_frames as made

from bustle.cli.split_table import split_lines
from bustle.core.errors import InputError
from bustle.core.recipe import load_protocol, protocol_ids
from bustle.core.types import Case, Collection
from bustle.data.readers import bus_bra, busi
from bustle.data.relations.duplicates import FramePair
from bustle.data.splits import splits as splits_module
from bustle.data.splits.split_file import read_splits, write_splits
from bustle.data.splits.splits import Fold, Splits, make_splits


def split(cases: Sequence[Case], protocol: str = "strict", **settings) -> Splits:
    track = "strict" if protocol == "strict" else "published"
    return make_splits(Collection(tuple(cases)), protocol=load_protocol(protocol), track=track, **settings)


@pytest.fixture(autouse=True)
def pairs(monkeypatch: pytest.MonkeyPatch) -> list[FramePair]:
    """The related frames of cases that have no pixels; a test adds what it needs."""
    related: list[FramePair] = []
    monkeypatch.setattr(splits_module, "related_frames", lambda cases: tuple(related))
    return related


def copy_pair(first: str, second: str, relation: str = "copy") -> FramePair:
    return FramePair(f"made/{first}", f"made/{second}", relation, 1.0, 1.0, 1.0)  # type: ignore[arg-type]


def singles(benign: int, malignant: int, source: str = "made") -> list[Case]:
    labels = ["benign"] * benign + ["malignant"] * malignant
    return [made.memory_case(f"{n}", label=label, source=source) for n, label in enumerate(labels)]  # type: ignore[arg-type]


def patients(seed: int, count: int = 120) -> list[Case]:
    """Like a real list: patients with one to five images of one class."""
    random = np.random.default_rng(seed)
    cases = []
    for patient in range(count):
        label = "benign" if random.random() < 0.67 else "malignant"
        for image in range(random.choice([1, 2, 2, 2, 3, 5])):
            cases.append(made.memory_case(f"{patient}-{image}", label=label, patient=str(patient)))
    return cases


def check_rules(result: Splits, cases: Sequence[Case], *, shared_validation: bool = False) -> None:
    """No case and no group in two parts; every case of a fold in one of its parts, or left out with a reason."""
    taking_part = set(result.groups)
    for fold in result.folds:
        parts = [set(fold.train), set(fold.test)] + ([] if shared_validation else [set(fold.val)])
        assert sum(map(len, parts)) == len(set.union(*parts))
        grouped = [{result.groups[name] for name in part} for part in parts]
        assert sum(map(len, grouped)) == len(set.union(*grouped))
        assert set.union(*parts) <= taking_part
    assert {name for name, _ in result.excluded} | taking_part == {case.case_id for case in cases}


def deviation(result: Splits, cases: Sequence[Case], *, per_source: bool = True) -> float:
    """Largest distance, over folds and classes (of every source), of the test part's count from the ideal."""
    stratum = {case.case_id: (case.source if per_source else "", case.label) for case in cases}
    totals = Counter(stratum[name] for name in result.groups)
    counts = [Counter(stratum[name] for name in fold.test) for fold in result.folds]
    return max(abs(count[s] - totals[s] / len(counts)) for count in counts for s in totals)


DRAWN = [name for name in protocol_ids() if not load_protocol(name).official_folds]
"""The protocols that draw their folds themselves."""


@pytest.mark.parametrize("protocol", DRAWN)
def test_every_protocol_keeps_its_groups_whole(protocol: str) -> None:
    cases = patients(1) + singles(40, 20, "other")
    result = split(cases, protocol)
    rules = load_protocol(protocol)
    check_rules(result, cases, shared_validation=rules.validation == "test")
    assert (result.protocol, result.seed) == (protocol, rules.seed)
    assert len(result.folds) == rules.folds
    if rules.group_by != "case":
        patient = {case.case_id: case.patient_id or case.case_id for case in cases}
        for fold in result.folds:
            assert not {patient[n] for n in fold.train} & {patient[n] for n in (*fold.test, *fold.val)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("folds", [3, 5, 10])
def test_strict_folds_are_within_one_case_of_the_ideal(seed: int, folds: int) -> None:
    cases = patients(seed) + singles(61, 23, "other")
    result = split(cases, folds=folds, seed=seed)
    check_rules(result, cases)
    assert deviation(result, cases) < 1
    assert sorted(name for fold in result.folds for name in fold.test) == sorted(result.groups)
    sizes = [len(fold.test) for fold in result.folds]
    assert max(sizes) - min(sizes) <= 2


def test_inner_validation_is_a_stratified_part_of_the_training_part() -> None:
    cases = patients(3)
    result = split(cases)
    label = {case.case_id: case.label for case in cases}
    for fold in result.folds:
        rest = Counter(label[name] for name in (*fold.train, *fold.val))
        val = Counter(label[name] for name in fold.val)
        assert all(abs(val[k] - 0.15 * rest[k]) < 1 for k in rest)
    assert len({fold.val for fold in result.folds}) == 5


def test_copies_and_scenes_stay_together_and_conflicts_are_left_out(pairs: list[FramePair]) -> None:
    cases = singles(20, 20)
    pairs += [copy_pair("0", "1"), copy_pair("1", "2", "identical"), copy_pair("3", "4", "same-scene")]
    pairs += [copy_pair("5", "25"), copy_pair("6", "26", "same-scene")]
    result = split(cases)
    check_rules(result, cases)
    assert len({result.groups[f"made/{n}"] for n in (0, 1, 2)}) == 1
    assert result.groups["made/3"] == result.groups["made/4"]
    assert result.groups["made/6"] == result.groups["made/26"]  # one scene may hold two lesions
    reason = "copies of one frame carry different classes: made/5, made/25"
    assert result.excluded == (("made/5", reason), ("made/25", reason))


def test_image_level_protocols_ignore_groups(pairs: list[FramePair]) -> None:
    pairs += [copy_pair("0", "1"), copy_pair("2", "30")]
    result = split(singles(20, 20), "rmtl")
    assert result.excluded == ()
    assert len(set(result.groups.values())) == 40


def test_rmtl_trains_on_the_pool_and_tests_on_every_source() -> None:
    """The pooled training part of a fold holds no test case of either data set."""
    cases = singles(110, 53, "udiat") + singles(437, 210, "busi")
    result = split(cases, "rmtl")
    assert deviation(result, cases) < 1
    for fold in result.folds:
        assert fold.val == ()
        assert {name.split("/")[0] for name in fold.test} == {"udiat", "busi"}
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == 810


def test_acsnet_validates_on_the_test_fold_of_the_released_shuffle() -> None:
    from sklearn.model_selection import KFold

    cases = singles(20, 10)
    result = split(cases, "acsnet")
    expected = KFold(5, shuffle=True, random_state=42).split(np.zeros(30))
    for fold, (_, test) in zip(result.folds, expected, strict=True):
        assert fold.test == tuple(cases[row].case_id for row in test)
        assert fold.val == fold.test


def test_ctg_stops_early_on_another_fold() -> None:
    result = split(patients(5), "ctg")
    tests = [set(fold.test) for fold in result.folds]
    for number, fold in enumerate(result.folds):
        assert set(fold.val) == tests[(number + 1) % 5]


def test_lanet_repeats_one_balanced_holdout_with_other_validation_parts() -> None:
    cases = singles(437, 210)
    result = split(cases, "lanet")
    label = {case.case_id: case.label for case in cases}
    assert len(result.folds) == 3
    assert len({fold.test for fold in result.folds}) == 1
    assert Counter(label[name] for name in result.folds[0].test) == {"benign": 41, "malignant": 41}
    assert len({fold.val for fold in result.folds}) == 3
    assert all(len(fold.val) == 85 or len(fold.val) == 84 for fold in result.folds)


def test_lanet_tests_only_images_that_show_where_their_lesion_is() -> None:
    """Algorithm 1 localises what has a class alone while it trains; such images cannot say how well it does."""
    located = [replace(case, has_mask=bool(n % 2), has_box=not n % 2) for n, case in enumerate(singles(60, 40))]
    classes_only = [replace(case, has_mask=False, has_box=False) for case in singles(200, 100, "frames")]
    cases = [*located, *classes_only]
    label = {case.case_id: case.label for case in cases}
    for fold in (result := split(cases, "lanet")).folds:
        assert Counter(label[name] for name in fold.test) == {"benign": 6, "malignant": 6}  # of 100, not of 400
        assert not {case.case_id for case in classes_only} - {*fold.train, *fold.val}
    check_rules(result, cases)
    for fold in split(cases, "lanet", folds=4).folds:
        assert {name.split("/")[0] for name in fold.test} == {"made"}
    with pytest.raises(InputError, match="shows where its lesion is"):
        split(classes_only, "lanet")


def test_a_holdout_is_one_fold_of_that_size() -> None:
    cases = patients(2)
    result = split(cases, holdout=0.2)
    (fold,) = result.folds
    check_rules(result, cases)
    label = {case.case_id: case.label for case in cases}
    totals, test = Counter(label.values()), Counter(label[name] for name in fold.test)
    assert all(abs(test[k] - 0.2 * totals[k]) < 1 for k in totals)
    assert fold.val


def test_the_seed_decides() -> None:
    cases = patients(2)
    assert split(cases) == split(cases) == split(cases, seed=0)
    assert split(cases, seed=1).folds != split(cases).folds


def test_other_classes_and_several_masks_are_left_out_and_unlabelled_cases_stay() -> None:
    cases = [*singles(10, 10), made.memory_case("n", label="normal"), made.memory_case("u", label=None)]
    cases.append(made.memory_case("several", mask_files=2))
    result = split(cases, classes=("benign", "malignant"), multi_mask="drop")
    assert dict(result.excluded) == {
        "made/n": "class normal is not among benign, malignant",
        "made/several": "has 2 mask files",
    }
    assert "made/u" in result.groups
    check_rules(result, cases)


def test_official_folds_are_the_test_parts_and_leaks_leave_the_training_part() -> None:
    cases = [
        made.memory_case(f"{n}", label="benign" if n % 3 else "malignant", patient=f"{n // 2}", official_fold=n // 10)
        for n in range(40)
    ]
    cases[10] = made.memory_case("10", patient="0", official_fold=1)  # its patient is in fold 0, too
    result = split([*cases, *singles(8, 4, "other")])
    assert len(result.folds) == 4
    official = {case.case_id: case.official_fold for case in cases}
    for number, fold in enumerate(result.folds):
        assert {name for name in fold.test if name in official} == {n for n, f in official.items() if f == number}
        assert any(name.startswith("other/") for name in fold.test)
    check_rules(result, [*cases, *singles(8, 4, "other")])
    left_out = {name for name, reason in result.excluded if "official folds" in reason}
    assert left_out == {"made/0", "made/1", "made/10"}
    with pytest.raises(InputError, match="official"):
        split(cases, folds=5)


def test_a_protocol_of_official_folds_tests_on_these_and_needs_them() -> None:
    cases = [
        made.memory_case(f"{n}", label="benign" if n % 3 else "malignant", patient=f"{n // 2}", official_fold=n // 10)
        for n in range(40)
    ]
    result = split(cases, "bus-bra")
    assert [len(fold.test) for fold in result.folds] == [10] * 4
    assert all(not fold.val and len(fold.train) == 30 for fold in result.folds)
    check_rules(result, cases)
    with pytest.raises(InputError, match="folds=official"):
        split(patients(1), "bus-bra")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"folds": 1}, "1 folds"),
        ({"holdout": 1.0}, "holdout"),
        ({"folds": 3, "holdout": 0.2}, "both"),
        ({"folds": 21}, "20 groups"),
        ({"seed": -1}, "the seed is -1"),
        ({"classes": ("benin",)}, "did you mean benign"),
        ({"classes": ("normal",)}, "no case is left"),
        ({"holdout": 0.001}, "leaves a part empty"),
    ],
)
def test_settings_that_cannot_be_met_are_told(settings: dict, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        split(singles(10, 10), **settings)


def test_a_file_gives_the_same_splits_back(tmp_path: Path) -> None:
    result = split([*patients(4), made.memory_case("n", label="normal")], classes=("benign", "malignant"))
    path = tmp_path / "splits.json"
    write_splits(path, result)
    assert read_splits(path) == result
    value = json.loads(path.read_text(encoding="utf-8"))
    assert set(value) == {"track", "protocol", "seed", "folds", "excluded", "groups"}
    assert set(value["folds"][0]) == {"train", "val", "test"}
    assert value["excluded"] == [{"case_id": "made/n", "reason": "class normal is not among benign, malignant"}]


def file_with(**changes: Any) -> str:
    fold = {"train": ["a/1"], "val": [], "test": ["a/2"]}
    content = {"track": "strict", "protocol": "strict", "seed": 0, "folds": [fold], "excluded": [], "groups": {}}
    return json.dumps(content | changes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "not a splits file"),
        ('{"track": "strict"}', "not a splits file"),
        ("{", "not readable JSON"),
        (file_with(folds=[]), "has no fold"),
        (file_with(folds={}), "folds is {}; it must be a list"),
        (file_with(folds=[{"train": ["a"], "val": [], "test": []}]), "fold 0 has no test case"),
        (file_with(folds=[{"train": [1], "val": [], "test": ["b"]}]), "train.0 is 1; it must be text"),
        (file_with(seed="0"), "seed is '0'; it must be a whole number"),
        (file_with(excluded=[["a", "why"]]), "excluded.0 is"),
        (file_with(groups=["a"]), "groups is"),
        (file_with(fold=[]), "unknown key 'fold'.*did you mean folds"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        read_splits(path)


def test_a_file_that_trains_on_its_test_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    write_splits(path, Splits("strict", "strict", 0, (Fold(("a/1", "a/2"), (), ("a/2",)),), (), {}))
    with pytest.raises(InputError, match="trains on a/2"):
        read_splits(path)


def test_the_table_counts_every_part() -> None:
    cases = [*singles(10, 5), made.memory_case("n", label="normal")]
    lines = split_lines(split(cases, classes=("benign", "malignant")), cases)
    assert lines[2].split() == ["fold", "part", "cases", "benign", "malignant"]
    assert lines[5].split() == ["0", "test", "3", "2", "1"]
    assert lines[-1] == "left out: 1 cases, class normal is not among benign, malignant"


@pytest.mark.parametrize("protocol", ["strict", "rmtl", "ctg", "abus"])
def test_real_lists_are_divided_within_one_case(real_data: Path, protocol: str) -> None:
    cases = [
        *busi.read(real_data / "busi" / "Dataset_BUSI_with_GT", name="busi", options={}).cases,
        *bus_bra.read(real_data / "bus-bra", name="bus-bra", options={}).cases,
    ]
    result = split(cases, protocol, classes=("benign", "malignant"))
    check_rules(result, cases)
    assert deviation(result, cases, per_source=load_protocol(protocol).per_source) < 1
