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
    ("Box IoU", "segmentation", "box_iou"),
    ("Lesions missed", "segmentation", "missed_lesions"),
    ("A lesion drawn on normals", "segmentation", "fp_rate_on_normals"),
    ("AUC", "classification", "auc"),
    ("Accuracy", "classification", "accuracy"),
    ("Sensitivity", "classification", "sensitivity"),
    ("Specificity", "classification", "specificity"),
    ("Brier score", "classification", "brier"),
    ("Called normal, yet a lesion is drawn", "consistency", "normal_but_drawn"),
    ("Called a lesion, yet nothing is drawn", "consistency", "lesion_but_not_drawn"),
)


def cell(metrics: dict[str, Any], section: str, name: str) -> str:
    value = (metrics.get(section) or {}).get(name)  # runs of earlier versions lack some
    if value is None or value["mean"] is None:
        return "–"
    digits = 1 if abs(value["mean"]) >= 10 else 3
    text = f"{value['mean']:.{digits}f}"
    if value.get("ci95") and value["ci95"][0] is not None:
        text += " [{:.{d}f}, {:.{d}f}]".format(*value["ci95"], d=digits)
    return text


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def scoring(metrics: dict[str, Any]) -> str:
    """The grid on which masks were compared, and the positive class where there are classes."""
    classes = metrics["classification"]
    return f"{metrics['resolution']} size" + (f", positive: {classes['positive_class']}" if classes else "")


def section(run: Path) -> str:
    """One run: command, hardware, size, and its strict and as-published figures side by side."""
    summary, provenance = read(run / "summary.json"), read(run / "provenance.json")
    sessions = provenance["sessions"]
    own, companion = summary["pooled"], summary["companion"]["pooled"]
    lines = [
        f"## {run.name}",
        "",
        f"{summary['title']}. {own['n_cases']} test cases of {len(summary['folds'])} fold(s), "
        f"{sum(session['seconds'] for session in sessions) / 60:.0f} minutes with "
        f"{sessions[-1]['hardware']['threads']} thread(s) on {sessions[-1]['processors']} cores "
        f"({sessions[-1]['hardware']['processor']}). Folder: `results/{run.name}/`.",
        "",
        "```text",
        *(shlex.join(session["command"]) for session in sessions),
        "```",
        "",
        f"| | {own['track']} ({scoring(own)}) | {companion['track']}, scored as {companion['protocol']} "
        f"({scoring(companion)}) |",
        "|---|---|---|",
    ]
    for title, part, name in ROWS:
        values = (cell(own, part, name), cell(companion, part, name))
        if values != ("–", "–"):
            lines.append(f"| {title} | {values[0]} | {values[1]} |")
    return "\n".join([*lines, ""])


def render() -> str:
    runs = sorted(path.parent for path in (ROOT / "results").glob("*/summary.json"))
    return "\n".join([HEAD, *map(section, runs)]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
