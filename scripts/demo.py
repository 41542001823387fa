"""`make demo`: the whole job on generated phantoms, through the same commands a user types.

Usage: demo.py FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from bustle.core.run_layout import ScoredFolder
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.result_files import read_track
from bustle.evaluation.results import TrackResult

MARKER = ".bustle-demo"
HELD_OUT = 0.25


def run(*words: str | Path) -> None:
    command = [str(word) for word in words]
    print(f"\n$ bustle {' '.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", "bustle", *command], check=True)


def fresh_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo; anything else that stands there is left alone."""
    if folder.exists():
        if not (folder / MARKER).exists():
            sys.exit(f"{folder} exists and is not an earlier demo: move it away first")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


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
    run("data", "phantom", "--cases", "240", "--seed", "0", "--size", "192", "--out", phantoms)
    run("data", "audit", f"folder:{phantoms}", "--out", folder / "audit")
    run("train", "demo", "--data", f"folder:{phantoms}", "--holdout", str(HELD_OUT), "--out", folder / "run")
    run("data", "phantom", "--cases", "40", "--seed", "1", "--size", "192", "--out", unseen)
    evaluation = folder / "evaluation"
    run("evaluate", "--model", folder / "run", "--data", f"folder:{unseen}?name=unseen", "--out", evaluation)
    run("predict", unseen / "images", "--model", folder / "run", "--out", folder / "predictions")

    result = read_track(ScoredFolder(evaluation).main.metrics)
    print(f"\nOn 40 phantoms of patients that training never saw ({time.monotonic() - started:.0f} s in all):")
    print(f"  Dice of the lesion            {line(result, 'segmentation', 'dice')}")
    print(f"  AUC, malignant against rest   {line(result, 'classification', 'auc')}")
    print("Phantoms are drawn, not scanned: these figures say that the tool works, not how good it is on patients.")
    print(f"Report: {ScoredFolder(evaluation).report.resolve()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
