"""What dropping faint parts of an outline gains on images of a hospital that a run has not seen.

Usage: `.venv/bin/python scripts/faint_parts.py RUN --data SPEC... --json FILE [--kept FILE]`. RUN has one fold, the
data are annotated and unseen. `--kept` holds what the network says about them: it is read where it is there, else
written. Nothing is fitted: every share is tried on every lesion, so that the figures can choose one, not judge it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bustle.core.files import write_json
from bustle.core.run_layout import RunLayout
from bustle.data.sources import open_sources
from bustle.evaluation.statistics import GroupResamples, group_interval, weighted_means
from bustle.experiments.calibration_case import CalibrationCase, calibration_cases
from bustle.experiments.calibration_file import read_calibration, write_calibration
from bustle.experiments.outline_fit import FAINTEST_PARTS, outlined_lesions
from bustle.experiments.resampling_groups import resampling_groups
from bustle.inference.decided_outline import OutlineRule
from bustle.inference.predictor import Predictor

RESAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--kept", type=Path, help="what the network says about the data")
    arguments = parser.parse_args()
    lesions = outlined_lesions(cases_of(arguments))
    groups = GroupResamples.draw([case.group for case in lesions], resamples=RESAMPLES, seed=0)
    plain = table(lesions, OutlineRule())
    rows = []
    for share in FAINTEST_PARTS:
        values = table(lesions, OutlineRule(faintest_part=share))
        means = weighted_means(values - plain, weights=groups.weights)
        rows.append(
            {
                "faintest_part": share,
                **{name: float(values[:, column].mean()) for column, name in enumerate(("dice", "missed_lesions"))},
                **{
                    name: figure(float((values - plain)[:, column].mean()), means[:, column], groups)
                    for column, name in enumerate(("dice_gain", "missed_lesions_gain"))
                },
            }
        )
    write_json(arguments.json, {"n": len(lesions), "resamples": RESAMPLES, "rows": rows})


def cases_of(arguments: argparse.Namespace) -> Sequence[CalibrationCase]:
    kept = arguments.kept
    if kept is not None and kept.exists():
        return read_calibration(kept)
    cases = open_sources(arguments.data).cases
    predictor = Predictor.of_trained_fold(RunLayout(arguments.run), 0, device="cpu")
    found = list(calibration_cases(predictor, cases, groups=resampling_groups(cases).group_of))
    if kept is not None:
        write_calibration(kept, found)
    return found


def table(cases: Sequence[CalibrationCase], rule: OutlineRule) -> np.ndarray:
    """By lesion, Dice and whether nothing of it is hit, `N 2`."""
    rows = []
    for case in cases:
        parts = case.kept_parts(rule)
        drawn, overlap = sum(part.area for part in parts), sum(part.overlap for part in parts)
        rows.append((2 * overlap / (drawn + (case.true_area or 0)), overlap == 0))
    return np.array(rows, np.float64)


def figure(value: float, resampled: np.ndarray, groups: GroupResamples) -> dict[str, Any]:
    return {"value": value, "ci95": group_interval(resampled, groups=groups.groups)}


if __name__ == "__main__":
    main()
