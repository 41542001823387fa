"""`bustle models`: which networks there are, what they cost and where they depart from their papers."""

from __future__ import annotations

import argparse
import sys

HELP = "list the shipped recipes and describe their networks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser(
        "list", help="one line per recipe, with the number of its admitted deviations; show tells them"
    )
    listing.add_argument("--variants", action="store_true", help="also list the ablations, RECIPE/VARIANT")
    listing.add_argument("--json", action="store_true", help="print JSON")
    show = actions.add_parser("show", help="one recipe's network in full")
    show.add_argument("recipe", metavar="RECIPE", help="a shipped id, RECIPE/VARIANT, or the path of a YAML file")
    show.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        return _list(variants=arguments.variants, as_json=arguments.json)
    return _show(arguments.recipe, as_json=arguments.json)


def _list(*, variants: bool, as_json: bool) -> int:
    import json
    import shutil

    from bustle.core.config import to_mapping
    from bustle.core.recipe import load_recipe, recipe_ids, setting_ids
    from bustle.inference.package import Package
    from bustle.inference.shipped import shipped_names, shipped_package
    from bustle.models.counts import shipped_counts
    from bustle.models.description import describe

    known = shipped_counts()  # a recipe that was added since is counted now
    names = recipe_ids(ablations=variants)
    descriptions = [describe(load_recipe(name), counts=known.get(name)) for name in names]
    if as_json:
        print(json.dumps([to_mapping(d) for d in descriptions], indent=1, ensure_ascii=False))
        return 0
    rows = [("recipe", "task", "dims", "parameters", "GMACs", "deviations", "title", "citation")]
    rows += [
        (d.id, d.task, f"{d.dims}D", f"{d.params:,}", f"{d.gmacs:.2f}", str(len(d.deviations)), d.title, d.citation)
        for d in descriptions
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None  # a pipe takes lines of any length
    for recipe, task, dims, params, gmacs, deviations, title, citation in rows:
        line = (
            f"{recipe:<{widths[0]}}  {task:<{widths[1]}}  {dims:<{widths[2]}}  {params:>{widths[3]}}  "
            f"{gmacs:>{widths[4]}}  {deviations:>{widths[5]}}  {title:<{widths[6]}}  {citation}"
        )
        print(line[:room])
    print(f"\nRECIPE@SETTING trains as a paper did on one data set: {', '.join(setting_ids())}")
    for name in shipped_names():
        title = Package(shipped_package(name)).record.title
        print(f"ready to use, without a training: --model {name} ({title})")
    return 0


def _show(name: str, *, as_json: bool) -> int:
    import json

    from bustle.core.config import to_mapping
    from bustle.core.recipe import load_recipe
    from bustle.models import zoo
    from bustle.models.description import describe

    recipe = load_recipe(name)
    description = describe(recipe)
    if as_json:
        print(json.dumps(to_mapping(description), indent=1, ensure_ascii=False))
        return 0
    size = " x ".join(map(str, recipe.data.size))
    print(f"{description.id}: {description.title}")
    print(f"  {description.citation}")
    print(f"  task         {description.task}, {description.dims}D, classes {', '.join(recipe.data.classes)}")
    print(f"  parameters   {description.params:,} ({description.trainable_params:,} trainable)")
    print(f"  GMACs        {description.gmacs:.2f} for one image of {size}")
    print("  config")
    for key, value in to_mapping(zoo.resolve(recipe).config).items():
        print(f"    {key}: {value}")
    print("  deviations from the paper, and decisions where it is silent")
    for deviation in description.deviations:
        print(f"    - {' '.join(deviation.split())}")
    return 0
