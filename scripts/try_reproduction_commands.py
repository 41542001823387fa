"""Run the commands of docs/reference/reproduce.md on 16 made-up images or 8 volumes, one epoch and one fold of each.

Usage: `.venv/bin/python scripts/try_reproduction_commands.py OUT [--only TEXT] [--untried] [--record]`. Images are
generated phantoms, written in the forms of BUSI and UDIAT; networks have shallower encoders of their family or a
quarter of their width, start from random weights and see small images, or small patches of voxels of 2 mm, all in one
batch, so that an epoch is one step. Ends with the commands that failed, or at an interrupt. `--only` runs those that
contain TEXT, `--untried` those that were not recorded yet, both with the trainings that they need and OUT has not;
`--record` notes those that ran in `scripts/reproduction_tried.txt`, which the page counts when it is written again.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
import time
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from bustle.cli.main import main as bustle
from bustle.core.files import write_text
from bustle.core.recipe import load_recipe
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.io.raster import write_png
from bustle.models.blocks.vnet import VNetConfig
from bustle.models.zoo import resolve

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "reproduce.md"
TRIED = ROOT / "scripts" / "reproduction_tried.txt"
SMALL = {
    "phantom:?cases=400": "phantom:?cases=16&size=96",
    "phantom:?volumes=170": "folder:data/ABUS",
    "busi:BUSI": "busi:data/BUSI",
    "udiat:UDIAT": "udiat:data/UDIAT",
    "BUSI/malignant/*).png": "data/BUSI/malignant/*).png",
}
SHALLOWER = {"resnet50": "resnet18", "resnet101": "resnet18", "vgg16": "resnet18", "densenet161": "densenet121"}
IMAGES, VOLUMES = 16, 8
VOXEL_MM = 2.0
"""Of volumes, which are then searched in few windows."""


def commands(page: Path = PAGE) -> list[list[str]]:
    """The words of every command of the page, in its order."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [shlex.split(line) for line in "".join(blocks).splitlines()]


def small_form(words: Sequence[str]) -> list[str]:
    """The same command, without the program's name, on small data and with little training; of every run one fold."""
    _, verb, *rest = (SMALL.get(word, word) for word in words)
    if verb == "train":
        return [verb, *rest, "--fold", "0", "--device", "cpu", "--set", *_little_training(words[2])]
    if verb == "compare":
        runs = rest[: rest.index("--data")]
        return [verb, *(f"{run}/fold-0" for run in runs), *rest[len(runs) :]]
    return [verb, *rest]


def _little_training(name: str) -> list[str]:
    recipe = load_recipe(name)
    size = [64, 64] if len(recipe.data.size) == 2 else [32, 32, 32]
    changes = {"model.encoder_weights": "null", "training.batch_size": 2 * IMAGES, "data.size": size}
    for place in ("", *(f"stages.{number}.set." for number in range(len(recipe.stages)))):
        changes |= {f"{place}training.epochs": 1, f"{place}training.monitor": "loss"}
    for place, loss in enumerate(recipe.losses):
        if loss.name == "lossnet":
            changes[f"losses.{place}.weights"] = "random"
    if recipe.data.resize == "patch":
        changes["data.spacing_mm"] = VOXEL_MM
    changes |= _small_network(resolve(recipe).config)
    return [f"{key}={value}".replace(" ", "") for key, value in changes.items()]


def _small_network(config: object) -> dict[str, object]:
    """The same network on a shallower encoder of its family, or with a quarter of its width."""
    changes: dict[str, object] = {}
    backbone, widths = getattr(config, "backbone", None), getattr(config, "widths", None)
    if backbone in SHALLOWER:
        changes["model.config.backbone"] = SHALLOWER[backbone]
    elif widths is not None:
        changes["model.config.widths"] = [width // 4 for width in widths]
    if isinstance(config, VNetConfig):
        changes["model.config.width"] = config.width // 4
    return changes


def record(words: Sequence[str]) -> None:
    """Note that a command ran, in the order of the page; what the page no longer has is forgotten."""
    ran = {*TRIED.read_text(encoding="utf-8").splitlines(), shlex.join(words)}
    write_text(TRIED, "".join(f"{line}\n" for line in map(shlex.join, commands()) if line in ran))


def write_data(folder: Path) -> None:
    """The same generated images as BUSI's and UDIAT's publishers lay theirs out, and coarse volumes, made once."""
    bustle(["data", "phantom", "--volumes", str(VOLUMES), "--coarse", "4", "--out", str(folder / "ABUS")])
    cases = open_sources([f"phantom:?cases={IMAGES}&size=96"]).cases
    for number, case in enumerate(cases, start=1):
        _write(case, folder / "BUSI" / str(case.label), image=f"{case.label} ({number})", mask="{}_mask")
    udiat = folder / "UDIAT"
    lesions = [case for case in cases if case.label != "normal"]
    for number, case in enumerate(lesions, start=1):
        _write(case, udiat, image=f"original/{number:06}", mask=f"GT/{number:06}")
    _write_table(udiat / "DatasetB.xlsx", [(number, str(case.label)) for number, case in enumerate(lesions, start=1)])


def _write(case: Case, folder: Path, *, image: str, mask: str) -> None:
    sample = case.load()
    assert sample.lesion_mask is not None
    write_png(folder / f"{image}.png", sample.image)
    write_png(folder / f"{mask.format(image)}.png", np.where(sample.lesion_mask > 0, 255, 0).astype(np.uint8))


def _write_table(path: Path, rows: Sequence[tuple[int, str]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Image", "Type"])
    for number, label in rows:
        sheet.append([number, label.capitalize()])
    book.save(path)


def wanted(found: Sequence[list[str]], *, only: str = "", done: Collection[str] = ()) -> list[list[str]]:
    """The commands that contain `only` and are not `done`, and the trainings of runs that they name."""
    chosen = [words for words in found if only in (line := shlex.join(words)) and line not in done]
    named = {word.removesuffix("/fold-0") for words in chosen for word in words}
    return [words for words in found if words in chosen or (words[1] == "train" and words[-1] in named)]


def runs(words: Sequence[str]) -> bool:
    """Whether the command, given without the program's name, comes to its end; an interrupt ends the trial."""
    try:
        return bustle([*words, "--debug"]) == 0  # without --debug an interrupt is one more exit code
    except (Exception, SystemExit) as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        traceback.print_exc()
        return False


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt lies under the error, as in a training that says how to go on."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or _was_interrupted(error.__context__))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="where data, runs and comparisons go")
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--untried", action="store_true")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.chdir(arguments.out)
    shutil.rmtree("data", ignore_errors=True)
    write_data(Path("data"))
    done = TRIED.read_text(encoding="utf-8").splitlines() if arguments.untried else []
    failed = []
    for words in wanted(commands(), only=arguments.only, done=done):
        if words[1] == "train" and (Path(words[-1]) / "summary.json").is_file():
            continue
        if words[1] == "train":  # one that an earlier trial was stopped in
            shutil.rmtree(words[-1], ignore_errors=True)
        small = small_form(words)
        begun, used = time.monotonic(), time.process_time()
        ran = runs(small)
        spent = f"{time.monotonic() - begun:.0f} s, {time.process_time() - used:.0f} s of a processor"
        print(f"{'ok' if ran else 'FAILED'}, {spent}: {shlex.join(words)}", flush=True)
        if not ran:
            failed.append(f"bustle {shlex.join(small)}")
        elif arguments.record:
            record(words)
        if small[0] == "train":  # a checkpoint of the largest networks has more than a gigabyte
            shutil.rmtree(Path(words[-1]) / "fold-0" / "checkpoints", ignore_errors=True)
    sys.exit("\n".join(["failed:", *failed]) if failed else 0)


if __name__ == "__main__":
    main()
