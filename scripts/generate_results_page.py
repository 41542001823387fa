"""Write docs/reference/results.md from the JSON of the runs under results/."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "results.md"
HEAD = """# Results

Each table comes from a run's own JSON under `results/`; the commands above it make it again. This page is generated
by `scripts/generate_results_page.py`. Brackets hold the 95 % confidence interval from resampling whole leak groups
(patients, or clusters of near-duplicate images).
"""
ROWS = (
    ("Dice", "segmentation", "dice"),
    ("IoU", "segmentation", "iou"),
    ("HD95 [px]", "segmentation", "hd95_px"),
    ("Lesions missed", "segmentation", "missed_lesions"),
    ("AUC", "classification", "auc"),
    ("Accuracy", "classification", "accuracy"),
    ("Sensitivity", "classification", "sensitivity"),
    ("Specificity", "classification", "specificity"),
    ("Brier score", "classification", "brier"),
)


def cell(metrics: dict[str, Any], section: str, name: str) -> str:
    value = metrics[section].get(name)
    if value is None or value["mean"] is None:
        return "–"
    digits = 1 if abs(value["mean"]) >= 10 else 3
    text = f"{value['mean']:.{digits}f}"
    if value.get("ci95") and value["ci95"][0] is not None:
        text += " [{:.{d}f}, {:.{d}f}]".format(*value["ci95"], d=digits)
    return text


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def section(run: Path) -> str:
    """One run: command, hardware, size, and its strict and as-published figures side by side."""
    summary, provenance = read(run / "summary.json"), read(run / "provenance.json")
    sessions = provenance["sessions"]
    own, companion = summary["pooled"], summary["companion"]["pooled"]
    lines = [
        f"## {run.name}",
        "",
        f"{summary['title']}. {own['n_cases']} test cases of {len(summary['folds'])} fold(s), "
        f"{sum(session['seconds'] for session in sessions) / 60:.0f} minutes on {sessions[-1]['processors']} cores "
        f"({sessions[-1]['hardware']['processor']}). Folder: `results/{run.name}/`.",
        "",
        "```text",
        *(shlex.join(session["command"]) for session in sessions),
        "```",
        "",
        f"| | {own['track']} ({own['resolution']} size, positive: {own['classification']['positive_class']}) "
        f"| {companion['track']}, scored as {companion['protocol']} "
        f"({companion['resolution']} size, positive: {companion['classification']['positive_class']}) |",
        "|---|---|---|",
        *(f"| {title} | {cell(own, part, name)} | {cell(companion, part, name)} |" for title, part, name in ROWS),
        "",
    ]
    return "\n".join(lines)


def render() -> str:
    runs = sorted(path.parent for path in (ROOT / "results").glob("*/summary.json"))
    return "\n".join([HEAD, *map(section, runs)]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
