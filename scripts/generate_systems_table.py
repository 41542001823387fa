"""Count the shipped recipes' networks: all that stands elsewhere about a new or changed network.

Usage: `.venv/bin/python scripts/generate_systems_table.py [--only ID ...] [--repin]`. Writes
`src/bustle/configs/counts.json` (parameters and multiply-accumulates), `docs/reference/systems.md`, and
`tests/models/tiny_parameters.json` (the pinned size of each network's tiny form). `--only` counts one recipe with its
variants, or one variant `ID/VARIANT`, and keeps what is written of the others. A pin that no longer holds is an
error, because old weights do not fit the new network; `--repin` accepts it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bustle.core.config import to_mapping
from bustle.core.errors import unknown_name
from bustle.core.files import read_json, write_text
from bustle.core.published import PublishedNumber, published_for
from bustle.core.recipe import Recipe, load_recipe, recipe_ids
from bustle.core.run_layout import ResultsFolder
from bustle.evaluation.figures import estimates_of
from bustle.evaluation.results import RunResult
from bustle.experiments.run_record import RunRecord
from bustle.experiments.run_record_file import read_record
from bustle.models import zoo
from bustle.models.counts import COUNTS, network_key, shipped_counts
from bustle.models.description import Description, describe

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "systems.md"
PINS = ROOT / "tests" / "models" / "tiny_parameters.json"
IN_ONE_PROCESS = 8
"""So many networks are counted sooner than other processes have loaded PyTorch."""

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
    description = _described(recipes[0])
    lines = [
        f"## {description.title}",
        "",
        f"`{name}` — {description.citation}",
        "",
        _cells([title for title, _ in COLUMNS]),
        f"|{'|'.join(rule for _, rule in COLUMNS)}|",
        *(_row(recipe, _described(recipe)) for recipe in recipes),
        "",
        "Deviations from the paper, and decisions where it is silent:",
        "",
        *(f"- {' '.join(deviation.split())}" for deviation in description.deviations),
        "",
    ]
    return "\n".join(lines)


def _described(recipe: Recipe) -> Description:
    return describe(recipe, counts=shipped_counts()[recipe.id])


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
    own = [(name, record) for name, record in _runs() if record.result.recipe == recipe.id]
    return "; ".join(_of_run(name, record.result, how=_how(record, recipe)) for name, record in own) or "–"


def _how(record: RunRecord, recipe: Recipe) -> str:
    """What of a run is smaller than its recipe says."""
    if record.recipe.data.size == recipe.data.size:
        return ""
    return f", {' x '.join(map(str, record.recipe.data.size))}, {record.recipe.training.epochs} epochs"


def _of_run(run: str, result: RunResult, *, how: str) -> str:
    own = next(track for track in result.tracks if track.track == "strict").pooled
    told = [
        f"{title} {100 * mean:.1f}"
        for title, part, name in (("Dice", "segmentation", "dice"), ("AUC", "classification", "auc"))
        if (metrics := estimates_of(own, part)) and (mean := metrics[name].mean) is not None
    ]
    return f"[{', '.join(told)}](results.md#{run}) ({own.n_cases} cases{how})"


@cache
def _runs() -> list[tuple[str, RunRecord]]:
    found = [(path.stem, read_record(path)) for path in ResultsFolder(ROOT / "results").runs()]
    return [(name, record) for name, record in found if set(record.result.pooled.by_source) == {"busi"}]


def chosen(only: Sequence[str]) -> list[str]:
    """The recipes to count: all, or those named, each with its variants. Raises `InputError` for an unknown one."""
    names = recipe_ids(ablations=True)
    for name in only:
        if name not in names:
            raise unknown_name("recipe", name, names)
    return [name for name in names if not only or name in only or name.partition("/")[0] in only]


@contextmanager
def workers(tasks: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` over processes, or the plain one where these would not pay."""
    if tasks <= IN_ONE_PROCESS:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), mp_context=context) as pool:
        yield pool.map


def write_counts(names: Sequence[str], *, each: Callable[..., Iterable[Any]]) -> None:
    """Count the networks of `names`, each distinct one once; entries of recipes that are gone are dropped."""
    key_of = {name: network_key(load_recipe(name)) for name in names}
    representatives = {key: name for name, key in key_of.items()}
    counted = dict(zip(representatives, each(count_one, list(representatives.values())), strict=True))
    entries = (read_json(COUNTS) if COUNTS.is_file() else {}) | {name: counted[key_of[name]] for name in names}
    _write_lines(COUNTS, {name: entries[name] for name in recipe_ids(ablations=True) if name in entries})
    shipped_counts.cache_clear()


def count_one(name: str) -> dict[str, Any]:
    from bustle.models.counting import count

    return to_mapping(count(load_recipe(name)))


def write_pins(model_ids: Sequence[str], *, repin: bool, each: Callable[..., Iterable[Any]]) -> None:
    """Pin the parameters of each network's tiny form. Exits for a pin that no longer holds, unless `repin`."""
    pins = read_json(PINS)
    for model_id, found in zip(model_ids, each(tiny_parameters, model_ids), strict=True):
        if pins.setdefault(model_id, found) != found and not repin:
            raise SystemExit(
                f"{model_id} has {found:,} parameters in its tiny form, pinned are {pins[model_id]:,}: old weights "
                "no longer fit; if that is meant, say --repin"
            )
        pins[model_id] = found
    _write_lines(PINS, {model_id: pins[model_id] for model_id in zoo.ids() if model_id in pins})


def tiny_parameters(model_id: str) -> int:
    """Of a network with its tiny settings, three channels and two classes, as the contract builds it."""
    import torch

    spec = zoo.get(model_id)
    with torch.device("meta"):
        network = spec.build(spec.tiny, in_channels=3, class_count=2)
    return sum(parameter.numel() for parameter in network.parameters())


def _write_lines(path: Path, entries: Mapping[str, Any]) -> None:
    """A JSON object with one line for each entry."""
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="count only these recipes")
    parser.add_argument("--repin", action="store_true", help="accept networks of another size than pinned")
    arguments = parser.parse_args()
    names = chosen(arguments.only)
    with workers(len(names)) as each:
        write_pins(sorted({load_recipe(name).model.id for name in names}), repin=arguments.repin, each=each)
        write_counts(names, each=each)
    write_text(PAGE, render())
    written = ", ".join(str(path.relative_to(ROOT)) for path in (COUNTS, PINS, PAGE))
    print(f"counted {len(names)} recipes, wrote {written}")


if __name__ == "__main__":
    main()
