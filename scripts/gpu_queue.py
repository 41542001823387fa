"""Run an entry of `results/queue.yaml` within a time, going on where an earlier call stopped.

Usage: `python scripts/gpu_queue.py ENTRY --data FOLDER --seconds N [--out RUNS] [--archive FOLDER] [--tiny]`

The entry's commands run one after the other, each with `--resume` and what is left of the time as its
`--time-budget`: what is finished is skipped, and no fold begins once the time is over. The fold that runs then comes
to its end, so that N lies below the machine's own limit by the length of one. Everything goes to RUNS/ENTRY (default:
`runs/queue`). `--archive` packs what came of this call into `ENTRY-CALL.tar.gz.000`, … of at most 16 MiB in FOLDER,
CALL being when it began: figures, tables, masks and logs, but neither checkpoints nor pictures, and of weights only
those of a run that is called `final`. `cat ENTRY-CALL.tar.gz.* | tar xz -C RUNS` unpacks a call, the earlier ones
first, and another call goes on from there, on any machine; only
what begins with the weights of the run `start`, which stays where it was trained, has to be finished there or begun
anew. `--tiny` runs one small training of each command on a processor in RUNS/ENTRY-tiny: that all of them run is all
it shows.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bustle.core.config import from_mapping
from bustle.core.files import write_bytes
from bustle.core.recipe import load_recipe, read_yaml, save_recipe
from bustle.core.run_layout import RunLayout, TrainingFolder
from bustle.data.splits.split_file import read_splits
from bustle.experiments.reproduction.smoke import small_recipe, smoke_form
from bustle.inference.prediction_files import OVERLAY

ROOT = Path(__file__).resolve().parents[1]
QUEUE = ROOT / "results" / "queue.yaml"
PART_BYTES = 16 * 2**20
LEFT_BEHIND = {"start", "checkpoints", "tensorboard", OVERLAY, "report.html"}
BENCHMARK = ["python", "-m", "benchmarks"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    title: str
    commands: tuple[str, ...]

    def words(self, *, data: Path, out: Path) -> list[list[str]]:
        """The words of every command, with its places filled in."""
        places = {"{data}": str(data), "{out}": str(out)}
        return [[_filled(word, places) for word in shlex.split(command)] for command in self.commands]


def entries() -> dict[str, Entry]:
    return {
        name: from_mapping(Entry, entry, where=f"{QUEUE.name}, {name}") for name, entry in read_yaml(QUEUE).items()
    }


def _filled(word: str, places: Mapping[str, str]) -> str:
    for place, path in places.items():
        word = word.replace(place, path)
    return word


class Outcome(NamedTuple):
    """The commands that failed, and whether the time was up before all had run."""

    failed: list[str]
    stopped: bool


def run(
    entry: Entry, *, data: Path, out: Path, seconds: float, tiny: bool, after_each: Callable[[], None]
) -> Outcome:
    """Run what the entry lacks; a command that fails is not in the way of the others."""
    ends, failed = time.monotonic() + seconds, []
    out.mkdir(parents=True, exist_ok=True)
    commands, log = entry.words(data=data, out=out), out / f"log-{time.time():.0f}.txt"
    for number, words in enumerate(commands):
        left = ends - time.monotonic()
        if left <= 0:
            return Outcome(failed, stopped=True)
        if is_done(words, beside=commands):
            continue
        words = small_form(words, recipe=out / f"tiny-{number}.yaml") if tiny else words
        if words[:3] != BENCHMARK:
            words = ["python", "-m", *words, "--resume", "--time-budget", f"{0 if tiny else left:.0f}s"]
        if _told([sys.executable, *words[1:]], log=log) != 0:
            failed.append(shlex.join(words))
        after_each()
    return Outcome(failed, stopped=time.monotonic() >= ends)


def is_done(words: Sequence[str], *, beside: Sequence[Sequence[str]]) -> bool:
    """Whether a command has all its files, or all that begin with what it trains have theirs."""
    if words[:3] == BENCHMARK:
        return Path(option(words, "--json")).exists()
    run = RunLayout(Path(option(words, "--out")))
    heirs = [other for other in beside if any(word.startswith(f"{run.path}/") for word in other)]
    if heirs:
        return all(is_done(heir, beside=()) for heir in heirs)
    if words[1] != "train" or not run.summary.exists():
        return False  # what a reproduction lacks it knows itself
    folds = [int(option(words, "--fold"))] if "--fold" in words else range(len(read_splits(run.splits).folds))
    return all(run.fold(number).is_scored for number in folds)


def option(words: Sequence[str], name: str) -> str:
    """The first word after an option."""
    return words[words.index(name) + 1]


def without(words: Sequence[str], name: str) -> tuple[list[str], list[str]]:
    """The words without an option of several, and the option's own."""
    if name not in words:
        return list(words), []
    start = words.index(name)
    end = next((place for place in range(start + 1, len(words)) if words[place].startswith("--")), len(words))
    return [*words[:start], *words[end:]], list(words[start + 1 : end])


def small_form(words: Sequence[str], *, recipe: Path) -> list[str]:
    """The same command on a processor with little training; a recipe that it trains is written to `recipe`."""
    if words[:3] == BENCHMARK:
        return [*words, "--tiny"]
    if words[1] == "reproduce":
        small = [word.replace("?volumes=170", "?volumes=8&coarse=4") for word in words]
        return [*small, "--smoke", "--device", "cpu"]
    rest, overrides = without(words, "--set")
    recipe_name = rest[2]
    whole = load_recipe(recipe_name)
    overrides += [f"data.size={list(smoke_form().training(whole).size)}", "model.encoder_weights=null"]
    overrides += [
        f"{place}training.epochs=1" for place in ("", *(f"stages.{n}.set." for n in range(len(whole.stages))))
    ]
    save_recipe(small_recipe(recipe_name, overrides=overrides), recipe)
    rest = [word.replace("?volumes=40&coarse=2", "?volumes=8&coarse=4") for word in rest]
    return [*rest[:2], str(recipe), *rest[3:], "--device", "cpu"]


def _told(words: Sequence[str], *, log: Path) -> int:
    """The exit code of a command whose lines are printed and kept."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    with log.open("a", encoding="utf-8") as kept:
        kept.write(f"$ {shlex.join(words)}\n")
        ran = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=environment
        )
        assert ran.stdout is not None
        for line in ran.stdout:
            print(line, end="", flush=True)
            kept.write(line)
    return ran.wait()


def archive(out: Path, folder: Path, *, since: float) -> None:
    """Pack what was written below `out` `since` then, in parts of `PART_BYTES`."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        for path in sorted(out.rglob("*")):
            if path.is_file() and path.stat().st_mtime >= since and comes_back(path.relative_to(out)):
                packed.add(path, arcname=str(path.relative_to(out.parent)))
    for number, start in enumerate(range(0, content.tell(), PART_BYTES)):
        write_bytes(
            folder / f"{out.name}-{since:.0f}.tar.gz.{number:03d}", content.getvalue()[start : start + PART_BYTES]
        )


def comes_back(path: Path) -> bool:
    """Whether a file of an entry's folder is packed."""
    if path.name == TrainingFolder(path.parent).weights.name:
        return path.parts[0] == "final"
    return not LEFT_BEHIND & set(path.parts)


def main(arguments: Sequence[str] | None = None) -> None:
    queue = entries()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entry", choices=queue, metavar="ENTRY", help=f"one of {', '.join(queue)}")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seconds", type=float, required=True, metavar="N")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "queue", metavar="RUNS")
    parser.add_argument("--archive", type=Path, metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args(arguments)
    out = (chosen.out / (f"{chosen.entry}-tiny" if chosen.tiny else chosen.entry)).resolve()
    begun = time.time()

    def keep() -> None:
        if chosen.archive is not None:
            archive(out, chosen.archive, since=begun)

    outcome = run(
        queue[chosen.entry],
        data=chosen.data.resolve(),
        out=out,
        seconds=chosen.seconds,
        tiny=chosen.tiny,
        after_each=keep,
    )
    if outcome.stopped:
        print("the time is up; go on with the same command")
    sys.exit("\n".join(["failed:", *outcome.failed]) if outcome.failed else 0)


if __name__ == "__main__":
    main()
