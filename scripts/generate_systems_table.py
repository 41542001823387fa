"""Describe the shipped recipes: writes configs/descriptions.json, and docs/reference/systems.md from it.

Usage: `.venv/bin/python scripts/generate_systems_table.py`. It builds every network (without memory), which takes a
minute or two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bustle.core.config import to_mapping
from bustle.core.description import DESCRIPTIONS, Description, shipped_descriptions
from bustle.core.files import write_json, write_text
from bustle.core.published import PublishedNumber, published_for
from bustle.core.recipe import Recipe, load_recipe, recipe_ids
from bustle.core.run_layout import RunLayout
from bustle.models.description import describe

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "systems.md"

INTRODUCTION = """\
# Systems

Every network here is a recipe, `bustle train RECIPE`; a variant is the recipe with few changes, `RECIPE/VARIANT`.
Parameters are counted, multiply-accumulates (GMACs) are for one image of the recipe's size. `bustle models show
RECIPE` prints the same with the network's settings. This page is written by `scripts/generate_systems_table.py`.

**Published** are the figures that the paper named in "published as" prints for BUSI, or for its own ABUS volumes, in
percent: Dice, accuracy (acc) and area under the ROC curve (AUC); several values stand where its tables differ. The
papers' protocols differ among each other and from ours. **Measured** is what a run under `results/` gave on BUSI's
strict track (native size, copies kept together, missed lesions counted); each leads to its command. A dash means that
nothing is printed, or that nothing was run yet.
"""

COLUMNS = (
    ("recipe", "---"),
    ("what it is", "---"),
    ("task", "---"),
    ("classes", "---"),
    ("size", "---"),
    ("parameters", "---:"),
    ("GMACs", "---:"),
    ("published as", "---"),
    ("published", "---"),
    ("measured", "---"),
)


def render() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(_section(name) for name in recipe_ids())])


def _section(name: str) -> str:
    names = [name, *(n for n in recipe_ids(ablations=True) if n.startswith(f"{name}/"))]
    recipes = [load_recipe(n) for n in names]
    description = shipped_descriptions()[name]
    lines = [
        f"## {description.title}",
        "",
        f"`{name}` — {description.citation}",
        "",
        _cells([title for title, _ in COLUMNS]),
        f"|{'|'.join(rule for _, rule in COLUMNS)}|",
        *(_row(recipe, shipped_descriptions()[recipe.id]) for recipe in recipes),
        "",
        "Deviations from the paper, and decisions where it is silent:",
        "",
        *(f"- {' '.join(deviation.split())}" for deviation in description.deviations),
        "",
    ]
    return "\n".join(lines)


def _row(recipe: Recipe, description: Description) -> str:
    return _cells(
        [
            f"`{recipe.id}`",
            recipe.title,
            description.task,
            ", ".join(recipe.data.classes),
            " x ".join(map(str, recipe.data.size)),
            f"{description.params:,}",
            f"{description.gmacs:.1f}",
            recipe.published_as.get("method", ""),
            _published(recipe),
            _measured(recipe),
        ]
    )


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _published(recipe: Recipe) -> str:
    """Dice, accuracy and AUC that the recipe's paper prints for it on BUSI or its ABUS volumes, in percent."""
    rows = [row for row in published_for(recipe.published_as) if row.dataset.startswith(("BUSI", "ABUS"))]
    found = {
        "Dice": _percent([row for row in rows if row.task == "seg" and row.metric in ("DSC", "Dice")]),
        "acc": _percent([row for row in rows if row.task == "cls" and row.metric.upper() == "ACC"]),
        "AUC": _percent([row for row in rows if row.task == "cls" and row.metric == "AUC"]),
    }
    return ", ".join(f"{name} {value}" for name, value in found.items() if value) or "–"


def _percent(rows: Sequence[PublishedNumber]) -> str:
    values = [row.mean * (100 if row.unit.startswith("fraction") else 1) for row in rows]
    return " / ".join(dict.fromkeys(f"{value:.1f}" for value in values))


def _measured(recipe: Recipe) -> str:
    """Dice and AUC of every run of this recipe on BUSI under `results/`, in percent."""
    return "; ".join(_of_run(folder, summary) for folder, summary in _runs() if summary["recipe"] == recipe.id) or "–"


def _of_run(folder: str, summary: dict[str, Any]) -> str:
    own = summary["pooled"] if summary["track"] == "strict" else summary["companion"]["pooled"]
    values = {"Dice": own["segmentation"].get("dice"), "AUC": (own["classification"] or {}).get("auc")}
    told = [f"{name} {100 * v['mean']:.1f}" for name, v in values.items() if v and v["mean"] is not None]
    return f"[{', '.join(told)}](results.md#{folder.replace('_', '-')}) ({own['n_cases']} cases)"


@cache
def _runs() -> list[tuple[str, dict[str, Any]]]:
    found = [RunLayout(path) for path in sorted((ROOT / "results").iterdir())]
    runs = [(r.path.name, json.loads(r.summary.read_text(encoding="utf-8"))) for r in found if r.summary.exists()]
    return [(name, summary) for name, summary in runs if set(summary["pooled"]["by_source"]) == {"busi"}]


def describe_all() -> list[dict[str, Any]]:
    """The content of configs/descriptions.json."""
    return [to_mapping(describe(load_recipe(name))) for name in recipe_ids(ablations=True)]


if __name__ == "__main__":
    write_json(DESCRIPTIONS, describe_all())
    write_text(PAGE, render())
    print(f"wrote {PAGE.name}")
