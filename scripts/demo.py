"""`make demo`: the model that comes with bustle answers on example pictures and phantoms, and a page shows it.

Usage: demo.py FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from demo_folder import bustle, fresh_folder

from bustle.experiments.own_outputs import ANSWERS_PAGE

EXAMPLES = Path(__file__).resolve().parents[1] / "src" / "bustle" / "webapp" / "demo" / "images"

WHAT_IT_SHOWS = """\
The examples are published images of BrEaST, on which the model was trained (src/bustle/webapp/demo/README.md
says what they show): no sign of how good it is. Phantoms are drawn, not scanned. Its figures on images that it has
never seen stand in docs/reference/reference-model.md."""


def main(folder: Path) -> None:
    started = time.monotonic()
    fresh_folder(folder)
    phantoms, answers = folder / "phantoms", folder / "answers"
    bustle("data", "phantom", "--cases", "6", "--seed", "5", "--size", "192", "--out", phantoms)
    bustle("predict", EXAMPLES, phantoms / "images", "--explain", "--report", "--out", answers)
    print(f"\nDone in {time.monotonic() - started:.0f} s. {WHAT_IT_SHOWS}")
    print(f"\nOpen this page in a browser: {(answers / ANSWERS_PAGE).resolve().as_uri()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
