"""Made-up scored runs to be compared."""

from __future__ import annotations

import numpy as np
from tests.made_results import write_made_metrics

from bustle.evaluation.case_table import CaseRow, write_cases
from bustle.experiments.compare import compare_runs

CLASSES = ("benign", "malignant")
NOTHING = dict.fromkeys(CLASSES)


def made_up_rows(seed=0, *, cases=range(12), better=0.0, classes=CLASSES):
    rng = np.random.default_rng(seed)
    rows = []
    for number in cases:
        malignant = float(np.clip(0.3 * (number % 2) + 0.7 * rng.random(), 0, 1))
        probabilities = {"benign": 1 - malignant, "malignant": malignant, "normal": 0.0}
        row = CaseRow(
            case_id=f"made/{number}",
            group_id=f"g{number // 2}",
            source="made",
            label=CLASSES[number % 2],
            probabilities={name: probabilities[name] for name in classes},
            dice=float(0.5 + 0.4 * rng.random() + better),
            hd95_px=float(5 + rng.random()),
            area=100,
            truth_empty=False,
            prediction_empty=False,
            false_positive_area=0,
        )
        rows.append(row)
    return rows


def write_results(folder, rows, *, track="strict", protocol="strict", suffix="", classes=CLASSES):
    folder.mkdir(parents=True, exist_ok=True)
    write_cases(folder / f"cases{suffix}.csv", rows, classes=classes)
    metrics = folder / f"metrics{suffix}.json"
    write_made_metrics(metrics, rows, classes=classes, title=folder.name, track=track, protocol=protocol)
    return folder


def compare(*folders, out, resamples=50):
    return compare_runs(folders, out=out, resamples=resamples)


def entry_of(comparison, metric, *, run=None, track=0, part="segmentation"):
    part = "classification" if metric == "auc" else part
    (found,) = (
        entry
        for entry in comparison.tracks[track].comparisons
        if (entry.part, entry.metric) == (part, metric) and run in (None, entry.run)
    )
    return found


def other_classes(folder):
    classes = (*CLASSES, "normal")
    write_results(folder, made_up_rows(classes=classes), classes=classes)
