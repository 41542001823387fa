"""What a person waits for: `--help`, the first answer of `bustle predict`, and each further one with its files.

Whole processes with compiled modules, as after an installation, on the example pictures, by the reference model and
the fastest library that is installed. Wall time, and processor time, which other work on the machine hardly changes,
against the limits of 0.2, 2 and 0.15 s; and the first answer against the import of segmentation-models-pytorch alone.
A further image's time is the difference between a command with many images and one with a single image.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from benchmarks._row import Ratio, Row
from bustle.cli.main import build_parser, main

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "src" / "bustle" / "webapp" / "demo" / "images").glob("*.png"))
LIMITS = {"--help": 0.2, "first answer": 2.0, "further image": 0.15}


@dataclass(frozen=True)
class Size:
    """`images` of the longer command; `peer` is the module that is imported; whole processes if `own_process`."""

    repeats: int
    images: int
    peer: str
    own_process: bool = True


FULL = Size(repeats=5, images=25, peer="segmentation_models_pytorch")
TINY = Size(repeats=1, images=2, peer="json", own_process=False)


class Spent(NamedTuple):
    wall: float
    processor: float


def run(size: Size) -> list[Row]:
    helps, first, imports, further = [], [], [], []
    with tempfile.TemporaryDirectory() as name, compiled_modules() as environment:
        folder = Path(name)
        images = [folder / f"{number}.png" for number in range(size.images)]
        for image, example in zip(images, cycle(EXAMPLES), strict=False):
            shutil.copy(example, image)

        def spent(*given: str | Path) -> Spent:
            words = [str(word) for word in given]
            return of_process(words, environment) if size.own_process else of_call(words)

        for turn in range(size.repeats + size.own_process):  # a first one compiles the modules
            found = (
                spent("bustle", "--help"),
                spent("bustle", "predict", images[0], "--out", folder / f"one-{turn}"),
                spent("bustle", "predict", *images, "--out", folder / f"many-{turn}"),
                spent(size.peer),
            )
            if turn or not size.own_process:
                helped, one, many, imported = found
                helps.append(helped)
                first.append(one)
                imports.append(imported)
                each = Spent(*((b - a) / (len(images) - 1) for a, b in zip(one, many, strict=True)))
                further.append(Spent(*(max(value, 1e-6) for value in each)))
    waited = {"--help": helps, "first answer": first, "further image": further}
    rows = [
        Row(
            goal=f"{what}, {limit:g} s of {kind} time",
            peer="the limit",
            ratio=within(limit, waited[what], kind),
            each={"seconds": statistics.median(getattr(spent, kind) for spent in waited[what])},
        )
        for what, limit in LIMITS.items()
        for kind in Spent._fields
    ]
    shares = [peer.processor / own.processor for peer, own in zip(imports, first, strict=True)]
    return [*rows, Row(goal="first answer, processor time", peer=f"import {size.peer}", ratio=Ratio.over(shares))]


def within(limit: float, times: Sequence[Spent], kind: str) -> Ratio:
    return Ratio.over([limit / getattr(spent, kind) for spent in times])


@contextlib.contextmanager
def compiled_modules() -> Iterator[dict[str, str]]:
    """An environment in which modules are compiled once, into a folder of their own, whatever else it says."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        yield kept | {"PYTHONPYCACHEPREFIX": folder, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def of_process(words: Sequence[str], environment: dict[str, str]) -> Spent:
    """`bustle WORDS`, or the import of a module, as a new process."""
    command = ["-m", *words] if words[0] == "bustle" else ["-c", f"import {words[0]}"]
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - started, os.times()
    children = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return Spent(wall, children)


def of_call(words: Sequence[str]) -> Spent:
    """The same within this process."""
    wall, processor = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        if words[0] != "bustle":
            import_module(words[0])
        elif words[1] == "--help":
            build_parser("predict").print_help()
        elif main(list(words[1:])) != 0:
            raise RuntimeError("the images could not be predicted")
    return Spent(time.perf_counter() - wall, max(time.process_time() - processor, 1e-6))
