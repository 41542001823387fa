"""The clustered bootstrap of all metrics, 2,000 resamples of 647 cases, against a loop over resamples.

The loop takes the same resamples and calls scikit-learn's metrics and NumPy's means on each; it is timed on a part
of them, in turn with bustle on all, and compared per resample. The values must be equal. Of more cases, the processor
time of all resamples stands against a limit.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from benchmarks._row import Ratio, Row
from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.figures import CaseFigures, estimates_of
from bustle.evaluation.metrics import CLASSIFICATION, SEGMENTATION
from bustle.evaluation.statistics import GroupResamples
from bustle.evaluation.summary import Scoring, summarise_cases

CLASSES = ("benign", "malignant")
LIMIT = 2.0
Rows = list[CaseRow]


@dataclass(frozen=True)
class Size:
    """The loop does `looped` of the `resamples`; `many` cases are timed against the limit."""

    cases: int
    many: int
    patients: int
    resamples: int
    looped: int
    repeats: int


FULL = Size(cases=647, many=2000, patients=400, resamples=2000, looped=25, repeats=5)
TINY = Size(cases=40, many=60, patients=25, resamples=10, looped=5, repeats=1)


def run(size: Size) -> list[Row]:
    rows = made_up_rows(size)
    drawn = GroupResamples.draw([row.group_id for row in rows], resamples=size.looped, seed=0)
    weights = drawn.weights.astype(int)
    check(rows, weights)
    ratios = []
    for _ in range(size.repeats):
        start = time.process_time()
        loop(rows, weights)
        middle = time.process_time()
        vectorised(rows, resamples=size.resamples)
        ratios.append(((middle - start) / size.looped) / ((time.process_time() - middle) / size.resamples))
    return [
        Row(
            goal=f"clustered bootstrap of all metrics, {size.cases} cases",
            peer="loop over resamples with scikit-learn and NumPy",
            ratio=Ratio.over(ratios),
        ),
        _against_the_limit(size),
    ]


def _against_the_limit(size: Size) -> Row:
    rows = made_up_rows(replace(size, cases=size.many))
    seconds = []
    for _ in range(size.repeats):
        start = time.process_time()
        vectorised(rows, resamples=size.resamples)
        seconds.append(time.process_time() - start)
    return Row(
        goal=f"{size.resamples} clustered resamples of all metrics, {size.many} cases, {LIMIT:g} s of processor time "
        f"({statistics.median(seconds):.2f} s measured)",
        peer="the limit",
        ratio=Ratio.over([LIMIT / taken for taken in seconds]),
    )


def made_up_rows(size: Size) -> Rows:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(size.cases):
        label = CLASSES[int(rng.random() < 0.32)]
        malignant = float(np.clip(0.35 * (label == "malignant") + 0.65 * rng.random(), 0, 1))
        row = CaseRow(
            case_id=str(index),
            source="made",
            group_id=str(rng.integers(size.patients)),
            label=label,
            probabilities={"benign": 1 - malignant, "malignant": malignant},
            decision=CLASSES[int(malignant >= 0.5)],
            area=1000,
            area_mm2=10.0,
            truth_empty=False,
            prediction_empty=False,
            false_positive_area=0,
        )
        rows.append(replace(row, **{name: float(rng.random()) for name in SEGMENTATION}))
    return rows


def vectorised(rows: Rows, *, resamples: int) -> CaseFigures:
    return summarise_cases(
        rows, scoring=Scoring(protocol=load_protocol("strict"), classes=CLASSES, resamples=resamples)
    )


def loop(rows: Rows, weights: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Every metric of every resample, `mask_<name>` and `<name>`, the plain way."""
    masks = np.array([[row.value(name) for name in SEGMENTATION] for row in rows])
    truth = np.array([row.label == "malignant" for row in rows])
    score = np.array([row.probability("malignant") for row in rows])
    values: list[dict[str, float]] = []
    for times in weights:
        index = np.repeat(np.arange(len(rows)), times)
        y, p = truth[index], score[index]
        decided = p >= 0.5
        one = {f"mask_{name}": mean for name, mean in zip(SEGMENTATION, masks[index].mean(axis=0), strict=True)}
        one |= {
            "auc": sklearn_metrics.roc_auc_score(y, p),
            "auc_macro_ovr": sklearn_metrics.roc_auc_score(y, p),
            "average_precision": sklearn_metrics.average_precision_score(y, p),
            "accuracy": sklearn_metrics.accuracy_score(y, decided),
            "sensitivity": sklearn_metrics.recall_score(y, decided),
            "specificity": sklearn_metrics.recall_score(~y, ~decided),
            "precision": sklearn_metrics.precision_score(y, decided),
            "npv": sklearn_metrics.precision_score(~y, ~decided),
            "f1": sklearn_metrics.f1_score(y, decided),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(y, decided),
            "mcc": sklearn_metrics.matthews_corrcoef(y, decided),
            "brier": sklearn_metrics.brier_score_loss(y, p),
        }
        values.append(one | {"fpr": 1 - one["specificity"]})
    return {name: np.array([one[name] for one in values]) for name in values[0]}


def check(rows: Rows, weights: NDArray[np.int64]) -> None:
    """The intervals of both ways are equal (scikit-learn has no calibration error)."""
    found, looped = vectorised(rows, resamples=len(weights)), loop(rows, weights)
    masks, classes = estimates_of(found, "segmentation"), estimates_of(found, "classification")
    assert masks is not None
    assert classes is not None
    pairs = [(masks[name], looped[f"mask_{name}"]) for name in SEGMENTATION]
    pairs += [(classes[name], looped[name]) for name in CLASSIFICATION if not name.startswith("ece")]
    for estimate, values in pairs:
        np.testing.assert_allclose(estimate.ci95 or (), np.percentile(values, [2.5, 97.5]), rtol=1e-9)
