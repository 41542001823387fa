"""A comparison's entries against plain loops over the resamples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.comparison import compare_classes, compare_masks, fold_values
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.statistics import GroupResamples, exact_interval
from bustle.evaluation.summary import Scoring, summarise

CLASSES = ("benign", "malignant")
STRICT = load_protocol("strict")
COUNT = 30
CASES = np.arange(COUNT)
GROUPS = [f"group-{number // 2}" for number in range(COUNT)]
RESAMPLES = GroupResamples.draw(GROUPS, resamples=40, seed=0)
WEIGHTS = RESAMPLES.weights


def made_up_rows(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(COUNT):
        malignant = float(np.clip(rng.random() * 0.8 + 0.2 * (number % 3 == 0), 0, 1))
        rows.append(
            CaseRow(
                case_id=str(number),
                group_id=GROUPS[number],
                source="made",
                label=CLASSES[number % 3 == 0],
                decision=CLASSES[malignant >= 0.5],
                probabilities={"benign": 1 - malignant, "malignant": malignant},
                dice=float(rng.random()),
                hd95_px=float(rng.random() * 90),
                area=9,
                truth_empty=False,
                prediction_empty=False,
                false_positive_area=0,
            )
        )
    rows[0] = replace(rows[0], dice=0.0)
    return rows


FIRST, SECOND = made_up_rows(1), made_up_rows(2)


def test_a_masks_interval_equals_a_loop_over_resamples():
    rows = list(SECOND)
    rows[4] = replace(rows[4], hd95_px=None)
    found = compare_masks(FIRST, rows, resamples=RESAMPLES)
    assert list(found) == ["dice", "hd95_px", "missed_lesions"]
    kept = [number for number in range(COUNT) if number != 4]
    for name, numbers in (("dice", range(COUNT)), ("hd95_px", kept)):
        first, second = ([rows[number].value(name) for number in numbers] for rows in (FIRST, rows))
        entry = found[name]
        assert (entry.reference, entry.value) == pytest.approx((np.mean(first), np.mean(second)))
        assert entry.difference == pytest.approx(np.mean(second) - np.mean(first))
        assert (entry.n, entry.n_unpaired) == (len(numbers), COUNT - len(numbers))
        differences = []
        for times in WEIGHTS.astype(int):
            drawn = [place for place, number in enumerate(numbers) for _ in range(times[number])]
            differences.append(np.mean([second[place] - first[place] for place in drawn]))
        assert entry.ci95 == pytest.approx(np.percentile(differences, [2.5, 97.5]).tolist())
    assert found["missed_lesions"].tests.paired_t is None  # it is 0 or 1


def test_class_intervals_equal_a_loop_over_resamples():
    found = compare_classes(FIRST, SECOND, resamples=RESAMPLES, protocol=STRICT, classes=CLASSES)
    truth = np.array([row.label == "malignant" for row in FIRST])
    scores = [np.array([row.probability("malignant") for row in rows]) for rows in (FIRST, SECOND)]
    differences = {"auc": [], "accuracy": [], "sensitivity": [], "specificity": []}
    for times in WEIGHTS.astype(int):
        drawn = np.repeat(np.arange(COUNT), times)
        values = []
        for score in scores:
            right = ((score >= 0.5) == truth)[drawn]
            values.append(
                {
                    "auc": roc_auc_score(truth[drawn], score[drawn]),
                    "accuracy": right.mean(),
                    "sensitivity": right[truth[drawn]].mean(),
                    "specificity": right[~truth[drawn]].mean(),
                }
            )
        for name, found_differences in differences.items():
            found_differences.append(values[1][name] - values[0][name])
    for name, resampled in differences.items():
        assert found[name].ci95 == pytest.approx(np.percentile(resampled, [2.5, 97.5]).tolist())
        assert found[name].n == COUNT
    delong = found["auc"].tests.delong
    assert 0 < delong.p < 1
    assert np.mean(delong.ci95) == pytest.approx(found["auc"].difference)
    assert found["accuracy"].tests.delong is None


def test_averages_over_three_classes_have_no_delong_test():
    rows = [
        [replace(row, probabilities={**row.probabilities, "normal": 0.0}) for row in rows] for rows in (FIRST, SECOND)
    ]
    settings = {"resamples": RESAMPLES, "classes": (*CLASSES, "normal")}
    macro = compare_classes(*rows, **settings, protocol=load_protocol("lanet"))
    assert macro["auc"].tests.delong is None
    binary = compare_classes(*rows, **settings, protocol=STRICT)
    assert binary["auc"].tests.delong is not None


def test_methods_without_probabilities_have_no_class_entries():
    without = [replace(row, probabilities=dict.fromkeys(CLASSES)) for row in SECOND]
    settings = {"resamples": RESAMPLES, "protocol": STRICT, "classes": CLASSES}
    assert compare_classes(FIRST, without, **settings) == {}


def test_the_values_of_folds_are_those_of_metrics_json():
    masks, decisions = fold_values([FIRST, SECOND], protocol=STRICT, classes=CLASSES)
    for number, rows in enumerate((FIRST, SECOND)):
        metrics = summarise(rows, scoring=Scoring(protocol=STRICT, classes=CLASSES, resamples=5), track="strict")
        for part, names in (("segmentation", ("dice", "missed_lesions")), ("classification", ("auc", "brier"))):
            values = masks if part == "segmentation" else decisions
            for name in names:
                assert values[name][number] == pytest.approx(estimates_of(metrics, part)[name].mean)
    assert masks["hd95_mm"] == []


def rare_rows(seed):
    """Two malignant cases among thirty, of a patient each."""
    return [
        replace(row, group_id=row.case_id, label=CLASSES[int(row.case_id) < 2], dice=0.5 + 0.01 * seed)
        for row in made_up_rows(seed)
    ]


def test_what_rests_on_two_patients_has_neither_interval_nor_p():
    rows = [rare_rows(seed) for seed in (1, 2)]
    resamples = GroupResamples.draw([row.group_id for row in rows[0]], resamples=40, seed=0)
    found = compare_classes(*rows, resamples=resamples, protocol=STRICT, classes=CLASSES)
    for name in ("auc", "sensitivity", "f1", "mcc", "average_precision"):
        assert (found[name].ci95, found[name].tests.p_values()) == (None, {"bootstrap": None}), name
    for name in ("accuracy", "specificity", "brier"):
        assert found[name].ci95 is not None, name
        assert found[name].tests.bootstrap.p is not None, name
    scoring = Scoring(protocol=STRICT, classes=CLASSES, resamples=40)
    alone = summarise(rows[0], scoring=scoring, track="strict").classification.estimates
    assert alone["auc"].ci95 is None
    assert alone["sensitivity"].ci95 == pytest.approx(exact_interval(alone["sensitivity"].mean, n=2))


def test_a_constant_difference_has_no_p_but_none_at_all_has():
    first, second = rare_rows(1), rare_rows(2)
    resamples = GroupResamples.draw([row.group_id for row in first], resamples=40, seed=0)
    dice = compare_masks(first, second, resamples=resamples)["dice"]
    assert (dice.ci95, set(dice.tests.p_values().values())) == (None, {None})
    same = compare_masks(first, first, resamples=resamples)["dice"]
    assert (same.ci95, set(same.tests.p_values().values())) == (None, {1.0})
