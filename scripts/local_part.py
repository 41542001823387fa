"""Part of BUS-BRA as if it were a hospital's own cases: folders of links to the images of some patients each.

Usage: `.venv/bin/python scripts/local_part.py BUSBRA --out FOLDER --patients 120 120` writes `FOLDER/local_1` and
`FOLDER/local_2`, of other patients each, for docs/how-to/your-own-site.md.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

TABLE = "bus_data.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("busbra", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--patients", type=int, nargs="+", required=True, metavar="N")
    arguments = parser.parse_args()
    with (arguments.busbra / TABLE).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    patients = sorted({row["Case"] for row in rows}, key=int)
    random.Random(0).shuffle(patients)
    start = 0
    for number, count in enumerate(arguments.patients, start=1):
        chosen = set(patients[start : start + count])
        start += count
        write_part(
            arguments.busbra, arguments.out / f"local_{number}", [row for row in rows if row["Case"] in chosen]
        )


def write_part(source: Path, folder: Path, rows: list[dict[str, str]]) -> None:
    """The rows' images and masks as links, and a table of them alone."""
    for name, prefix in (("Images", "bus_"), ("Masks", "mask_")):
        (folder / name).mkdir(parents=True)
        for row in rows:
            file = f"{row['ID'].replace('bus_', prefix, 1)}.png"
            (folder / name / file).symlink_to((source / name / file).resolve())
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
