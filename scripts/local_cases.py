"""How many local cases repair the threshold and the probabilities of a model in a hospital that it has not seen.

Usage: `.venv/bin/python scripts/local_cases.py PACKAGE --data SPEC... --home CASES_ANSWERS.csv --json FILE`, the
answers being those of the run's fold. From the patients of the data k are drawn, with one image each, again and
again; the rule is fitted on these and tested on all images of the others. `--kept FILE` keeps what the network says,
so that it is not asked again. Prints the table of docs/reference/reference-model.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from bustle.core.files import write_json
from bustle.data.sources import open_sources
from bustle.evaluation.calibration import calibration_errors, equal_mass_bins
from bustle.evaluation.case_table import read_cases
from bustle.experiments.calibration_case import calibration_cases
from bustle.experiments.calibration_file import read_calibration, write_calibration
from bustle.experiments.fit_decision import known_lesions
from bustle.experiments.malignancy_fit import KnownLesions
from bustle.experiments.question_fit import conformal_bound, fit_logistic
from bustle.experiments.resampling_groups import resampling_groups
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.decision import Question
from bustle.inference.package import Package
from bustle.inference.predictor import Predictor

SIZES = (10, 20, 50, 100, 200)
DRAWS = 200
COVERAGE = 0.9

Probability = Callable[[np.ndarray], np.ndarray]
"""Of malignant, from the network's log odds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--home", type=Path, required=True, help="answers to test cases of the model's own hospitals")
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    rule = Package(arguments.package).record.decision
    assert rule is not None
    lesions = lesions_of(arguments, outline=rule.outline)
    home = home_row(arguments.home, question=rule.malignancy)
    rows = [home, *study(lesions, question=rule.malignancy)]
    content = {"model": arguments.package.name, "draws": DRAWS, "patients": len(set(lesions.groups)), "rows": rows}
    write_json(arguments.json, content | {"images": len(lesions.malignant), "threshold": rule.malignancy.least_yes})
    print("| cases | fitted | sensitivity | specificity | Brier | ECE | draws with it |\n" + "|---" * 7 + "|")
    for row in rows:
        values = (shown(row[name]) for name in ("sensitivity", "specificity", "brier", "ece"))
        print(f"| {row['cases']} | {row['fitted']} | {' | '.join(values)} | {row['share']:.2f} |")


def lesions_of(arguments: argparse.Namespace, *, outline: OutlineRule) -> KnownLesions:
    kept = arguments.kept
    if kept is not None and kept.exists():
        return known_lesions(read_calibration(kept), outline=outline)
    cases = open_sources(arguments.data).cases
    groups = resampling_groups(cases).group_of
    found = list(calibration_cases(Predictor.open(arguments.package), cases, groups=groups))
    if kept is not None:
        write_calibration(kept, found)
    return known_lesions(found, outline=outline)


def home_row(path: Path, *, question: Question) -> dict[str, Any]:
    """At home, on test cases that fitted nothing."""
    rows = [row for row in read_cases(path) if row.label in ("benign", "malignant")]
    malignant, benign = (np.array([row.probability(name) or 0.0 for row in rows]) for name in ("malignant", "benign"))
    said = malignant / np.maximum(malignant + benign, 1e-9)
    truth = np.array([row.label == "malignant" for row in rows])
    return row_of([figures(truth, said, threshold=question.least_yes)], cases=len(rows), fitted="at home", share=1.0)


def study(lesions: KnownLesions, *, question: Question) -> list[dict[str, Any]]:
    """Without local cases, and with each number of them, fitted in several ways."""
    owners = np.array(lesions.groups)
    patients = np.unique(owners)
    random = np.random.default_rng(0)
    exported = exported_rule(question)
    everything = figures(lesions.malignant, exported(lesions.network), threshold=question.least_yes)
    rows = [row_of([everything], cases=0, fitted="as exported", share=1.0)]
    for size in SIZES:
        found: dict[str, list[dict[str, float]]] = {"offset": [], "offset and steepness": [], "local threshold": []}
        for _ in range(DRAWS):
            chosen = random.choice(patients, size, replace=False)
            places = np.array([random.choice(np.flatnonzero(owners == patient)) for patient in chosen])
            others = ~np.isin(owners, chosen)
            truth, network = lesions.malignant[places], lesions.network[places]
            if truth.all() or not truth.any():
                continue
            tested = (lesions.malignant[others], lesions.network[others])
            for name, rule in (
                ("offset", offset_rule(truth, network, question=question)),
                ("offset and steepness", logistic_rule(truth, network)),
            ):
                found[name].append(figures(tested[0], rule(tested[1]), threshold=question.least_yes))
            bound = conformal_bound(exported(network)[truth], coverage=COVERAGE)
            if bound > 0:
                found["local threshold"].append(figures(tested[0], exported(tested[1]), threshold=bound))
        rows += [
            row_of(each, cases=size, fitted=name, share=len(each) / DRAWS) for name, each in found.items() if each
        ]
    return rows


def exported_rule(question: Question) -> Probability:
    return lambda network: 1 / (1 + np.exp(-question.intercept - question.weights[0] * network))


def offset_rule(truth: np.ndarray, network: np.ndarray, *, question: Question) -> Probability:
    """The exported rule with another intercept, slightly held back so that few cases of one class do not run away."""
    signs, known = np.where(truth, 1.0, -1.0), question.weights[0] * network

    def loss(intercept: float) -> float:
        penalty = 0.01 * (intercept - question.intercept) ** 2
        return float(np.logaddexp(0, -signs * (intercept + known)).sum() + penalty)

    best = float(minimize_scalar(loss, bounds=(-10, 10), method="bounded").x)
    return lambda network: 1 / (1 + np.exp(-best - question.weights[0] * network))


def logistic_rule(truth: np.ndarray, network: np.ndarray) -> Probability:
    intercept, (weight,) = fit_logistic(network[:, None], truth)
    return lambda network: 1 / (1 + np.exp(-intercept - weight * network))


def figures(truth: np.ndarray, said: np.ndarray, *, threshold: float) -> dict[str, float]:
    called = said >= threshold
    once = np.ones((1, len(truth)))
    bins = equal_mass_bins(said, 10)
    return {
        "sensitivity": float(called[truth].mean()),
        "specificity": float((~called[~truth]).mean()),
        "brier": float(np.mean((said - truth) ** 2)),
        "ece": float(calibration_errors(truth, said, bin_of_case=bins, weights=once)[0]),
    }


def row_of(found: Sequence[dict[str, float]], *, cases: int, fitted: str, share: float) -> dict[str, Any]:
    """Mean over the draws, and the range that holds 90 % of them."""
    row: dict[str, Any] = {"cases": cases, "fitted": fitted, "share": share}
    for name in found[0]:
        values = [each[name] for each in found]
        low, high = np.quantile(values, [0.05, 0.95])
        row[name] = {
            "mean": float(np.mean(values)),
            "range90": [float(low), float(high)] if len(values) > 1 else None,
        }
    return row


def shown(value: dict[str, Any]) -> str:
    if value["range90"] is None:
        return f"{value['mean']:.3f}"
    assert not math.isnan(value["mean"])
    return f"{value['mean']:.3f} ({value['range90'][0]:.2f}–{value['range90'][1]:.2f})"


if __name__ == "__main__":
    main()
