"""`python -m benchmarks [NAME ...] [--json FILE]`: run this folder's scripts, each against its named peers.

A script offers `run() -> list[dict]` with one row per peer: `{goal, peer, ratio: {min, median, max},
roofline_fraction}`. The ratio is how many times faster bustle is, measured side by side in one run.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from bustle.core.files import write_json
from bustle.core.provenance import provenance


def names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"scripts to run (default: all): {', '.join(names())}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows and what they were made with")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(names()))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}; known: {', '.join(names())}")
    rows: list[dict[str, Any]] = []
    for name in arguments.names or names():
        measured = importlib.import_module(f"benchmarks.{name}").run()
        for row in measured:
            ratio, fraction = row["ratio"], row["roofline_fraction"]
            print(
                f"{name}: {row['goal']} | {row['peer']}: "
                f"{ratio['min']:.2f}x / {ratio['median']:.2f}x / {ratio['max']:.2f}x (min / median / max)"
                + ("" if fraction is None else f", {100 * fraction:.1f} % of the roofline"),
                flush=True,
            )
        rows += measured
    if arguments.json:
        write_json(arguments.json, {"rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
