"""`make demo-train`: the whole job on generated phantoms, through the same commands a user types.

Usage: demo_train.py FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from demo_folder import bustle, fresh_folder

from bustle.core.run_layout import ScoredFolder
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.result_files import read_track
from bustle.evaluation.results import TrackResult

HELD_OUT = 0.25


def line(result: TrackResult, part: str, name: str) -> str:
    estimates = estimates_of(result, part)
    assert estimates is not None, f"the demo has no {part}"
    estimate = estimates[name]
    low, high = estimate.ci95
    return f"{estimate.mean:.3f}  (95 % CI {low:.3f} to {high:.3f}, n = {estimate.n})"


def main(folder: Path) -> None:
    started = time.monotonic()
    fresh_folder(folder)
    phantoms, unseen = folder / "phantoms", folder / "unseen"
    bustle("data", "phantom", "--cases", "240", "--seed", "0", "--size", "192", "--out", phantoms)
    bustle("data", "audit", f"folder:{phantoms}", "--out", folder / "audit")
    bustle("train", "demo", "--data", f"folder:{phantoms}", "--holdout", str(HELD_OUT), "--out", folder / "run")
    bustle("data", "phantom", "--cases", "40", "--seed", "1", "--size", "192", "--out", unseen)
    evaluation = folder / "evaluation"
    bustle("evaluate", "--model", folder / "run", "--data", f"folder:{unseen}?name=unseen", "--out", evaluation)
    bustle("predict", unseen / "images", "--model", folder / "run", "--out", folder / "predictions")

    result = read_track(ScoredFolder(evaluation).main.metrics)
    print(f"\nOn 40 phantoms of patients that training never saw ({time.monotonic() - started:.0f} s in all):")
    print(f"  Dice of the lesion            {line(result, 'segmentation', 'dice')}")
    print(f"  AUC, malignant against rest   {line(result, 'classification', 'auc')}")
    print("Phantoms are drawn, not scanned: these figures say that the tool works, not how good it is on patients.")
    print(f"Report: {ScoredFolder(evaluation).report.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
