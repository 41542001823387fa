"""Run this folder's scripts, each against its named peers: `python -m benchmarks [NAME ...] [--json FILE] [--tiny]`.

A script offers `run(size) -> Iterable[Row]` with one row per peer, and its two sizes, `FULL` and `TINY`. The ratio is
how many times faster bustle is, measured side by side in one run. What is done before the last row is kept in
FILE.part.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks._row import Row
from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.provenance import provenance


def names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"scripts to run (default: all): {', '.join(names())}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows and what they were made with")
    parser.add_argument("--recipe", metavar="RECIPE", help="of `training`: another network than its own")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="of `training`: changes of that network's recipe"
    )
    parser.add_argument("--tiny", action="store_true", help="only show that all of it runs: the figures mean nothing")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(names()))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}; known: {', '.join(names())}")
    if (chosen.recipe is not None and chosen.names != ["training"]) or (chosen.set and chosen.recipe is None):
        parser.error("--recipe, and with it --set, belongs to `training` alone")
    rows: list[Row] = []
    part = chosen.json and chosen.json.with_name(f"{chosen.json.name}.part")
    for name in chosen.names or names():
        script = importlib.import_module(f"benchmarks.{name}")
        size = script.TINY if chosen.tiny else script.FULL
        if chosen.recipe is not None:
            size = replace(size, recipe=chosen.recipe, changes=tuple(chosen.set))
        for row in script.run(size):
            print(f"{name}: {row.line()}", flush=True)
            rows.append(row)
            if part:
                write_json(part, to_mapping({"tiny": chosen.tiny, "rows": rows, "provenance": provenance()}))
    if part:
        part.replace(chosen.json)


if __name__ == "__main__":
    main()
