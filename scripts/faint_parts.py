"""What dropping faint parts of an outline gains on images of a hospital that a run has not seen.

Usage: `.venv/bin/python scripts/faint_parts.py RUN --data SPEC... --json FILE`. RUN has one fold, the data are
annotated and unseen. Nothing is fitted: every share is tried on every lesion, so that the figures can choose one, not
judge it.
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
    arguments = parser.parse_args()
    cases = open_sources(arguments.data).cases
    predictor = Predictor.of_trained_fold(RunLayout(arguments.run), 0, device="cpu")
    groups = resampling_groups(cases).group_of
    lesions = outlined_lesions(list(calibration_cases(predictor, cases, groups=groups)))
    write_json(arguments.json, {"n": len(lesions), "resamples": RESAMPLES, "rows": rows_of(lesions)})


def rows_of(lesions: Sequence[CalibrationCase]) -> list[dict[str, Any]]:
    drawn = GroupResamples.draw([case.group for case in lesions], resamples=RESAMPLES, seed=0)
    plain = dice_by(lesions, OutlineRule())
    rows = []
    for share in FAINTEST_PARTS:
        dice = dice_by(lesions, OutlineRule(faintest_part=share))
        rows.append(
            {
                "faintest_part": share,
                "dice": float(dice.mean()),
                "missed_lesions": float((dice == 0).mean()),
                "dice_gain": figure(dice - plain, drawn),
                "missed_lesions_gain": figure((dice == 0) - (plain == 0).astype(float), drawn),
            }
        )
    return rows


def dice_by(cases: Sequence[CalibrationCase], rule: OutlineRule) -> np.ndarray:
    """By lesion; 0 where nothing of it is hit."""
    return np.array([case.dice(rule) for case in cases])


def figure(differences: np.ndarray, drawn: GroupResamples) -> dict[str, Any]:
    means = weighted_means(differences[:, None], weights=drawn.weights)[:, 0]
    return {"value": float(differences.mean()), "ci95": group_interval(means, groups=drawn.groups)}


if __name__ == "__main__":
    main()
