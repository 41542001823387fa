"""Write docs/reference/systems.md from the shipped recipes: `.venv/bin/python scripts/generate_systems_table.py`."""

from __future__ import annotations

from pathlib import Path

from bustle.core.files import write_text
from bustle.core.recipe import Recipe, load_recipe, recipe_ids
from bustle.models.description import Description, describe

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "systems.md"

INTRODUCTION = """\
# Systems

Every network here is a recipe, `bustle train RECIPE`; a variant is the recipe with few changes, `RECIPE/VARIANT`.
Parameters are counted, multiply-accumulates (GMACs) are for one image of the recipe's size. `bustle models show
RECIPE` prints the same with the network's settings. This page is written by `scripts/generate_systems_table.py`.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(_section(name) for name in recipe_ids())])


def _section(name: str) -> str:
    names = [name, *(n for n in recipe_ids(ablations=True) if n.startswith(f"{name}/"))]
    recipes = [load_recipe(n) for n in names]
    description = describe(recipes[0])
    lines = [
        f"## {description.title}",
        "",
        f"`{name}` — {description.citation}",
        "",
        "| recipe | what it is | task | classes | size | parameters | GMACs | published as |",
        "|---|---|---|---|---|---:|---:|---|",
        *(_row(recipe, describe(recipe)) for recipe in recipes),
        "",
        "Deviations from the paper, and decisions where it is silent:",
        "",
        *(f"- {' '.join(deviation.split())}" for deviation in description.deviations),
        "",
    ]
    return "\n".join(lines)


def _row(recipe: Recipe, description: Description) -> str:
    cells = [
        f"`{recipe.id}`",
        recipe.title,
        description.task,
        ", ".join(recipe.data.classes),
        " x ".join(map(str, recipe.data.size)),
        f"{description.params:,}",
        f"{description.gmacs:.1f}",
        recipe.published_as.get("method", ""),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    write_text(PAGE, render())
    print(f"wrote {PAGE.name}")
