"""Write docs/reference/reproduce.md from configs/reproduction.yaml, the recipes and the published numbers.

Usage: `.venv/bin/python scripts/generate_reproduce_page.py`. Ends with an error where a printed row has no recipe.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from bustle.core.files import write_text
from bustle.core.recipe import load_recipe, recipe_ids
from bustle.experiments.reproduction.catalogue import Block, Section, recipes_of_rows, sections

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "reproduce.md"
TRIED = ROOT / "scripts" / "reproduction_tried.txt"
"""The commands that `try_reproduction_commands.py --record` has run, one a line."""

IMAGES = "BUSI/malignant/*).png"
"""BUSI's malignant images without their masks, of which maps are drawn."""

INTRODUCTION = """\
# Reproduce the papers

A command for each table and figure of the five papers, or why there is none. Their numbers are in
`configs/published.csv`; [systems](systems.md) has them beside what was measured here, and
[what the papers leave open](../explanation/papers.md) says how the gaps were filled. `BUSI` and `UDIAT` are the
folders of the data sets, see [readers](readers.md); of private data a stand-in is named. A run takes hours on a GPU,
and days without one: `--fold 0` trains one fold.

`bustle reproduce PAPER[/TABLE]` runs all of a table or figure and sets it beside the print: the paper's figure,
the same by the paper's protocol, and by the strict one, with SD and 95 % intervals. It names the protocol's flaws,
marks what lies farther from the print than the printed SD, draws a sweep's own plot (λ, the share of located
cases, the number of passes) and ROC curves, and writes a page, Markdown and JSON:

```text
bustle reproduce rmtl_net/table-7 --data busi:BUSI udiat:UDIAT --dry-run --out reproduced
bustle reproduce rmtl_net/table-7 --data busi:BUSI udiat:UDIAT --time-budget 9m --out reproduced
bustle reproduce rmtl_net/table-7 --data busi:BUSI udiat:UDIAT --resume --out reproduced
bustle reproduce cms_vnet_iter/table-3 --stand-in "phantom:?volumes=170" --out reproduced-volumes
bustle reproduce acsnet/table-5 --data busi:BUSI --smoke --out smoke
```

`--dry-run` prints the plan with the time that it takes, from a measured step of each network. `--time-budget` stops
after the training of one fold that reaches it, `--resume` goes on with the same data; finished folds are kept, and
tables in one `--out` share their runs. A row whose data is not given, private data without `--stand-in`, and a method
that the paper quotes stand there with the reason. `--smoke` is a small form in minutes a row (few cases, 64 pixels,
one fold, smaller networks, random weights: `configs/smoke.yaml`) that shows that all rows run and says nothing about
their figures; every cell of a trained figure says so, and none is marked. `--seeds 0 1 2` repeats every training: the
mean is over folds and repeats, the interval over the repeats, and once all are complete a one-sided t test tells
whether the paper's own method is better. With `--engine ray` all trainings, of every row, track, seed and fold, are
shared by [the processes of one machine or many](../how-to/archive.md#on-many-machines); those that run when the time
of `--time-budget` is up are finished. Networks start from ImageNet's weights, which are fetched; `--set
model.encoder_weights=null` leaves them out.

With one thread on a machine of two cores that others used too, the smoke of `cms_vnet_iter/table-3` took 3 min 44 s
(96 s of a processor), on BUSI that of `ctg_net/table-3` 3 min 4 s (72 s), of `rmtl_net/table-7` 4 min 5 s (211 s) and
of `acsnet/table-5` 5 min 15 s (280 s).

`scripts/generate_reproduce_page.py` writes this page of `configs/reproduction.yaml`.
`scripts/try_reproduction_commands.py` tries its commands: it runs them on 16 made-up images, or 8 volumes, for one
epoch of one fold. Images have 64 pixels there, volumes voxels of 2 mm, and networks are smaller: ResNet-18 stands for
VGG-16, ResNet-50 and ResNet-101, DenseNet-121 for DenseNet-161, and networks without such an encoder have a quarter
of their width. Each paper's part says how many of its commands have been tried so as they stand here.
"""

BESIDE_THE_TABLES = """\
## Beside the tables

These recipes of the same systems are no rows of the papers' tables. They are readings of what the papers leave open,
forms that have the released code's or the printed parameters, and questions of this project's own, such as CBAM or
squeeze and excitation in place of RMTL-Net's regional attention, which its authors name as future work. Those whose
names end in `_cpu` are small, for training without a GPU. They are trained like the others.
"""


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    tried = set(TRIED.read_text(encoding="utf-8").splitlines())
    for section in sections():
        trained: set[Path] = set()
        commands = [list(_commands(block, section, trained=trained)) for block in section.blocks]
        parts += [f"## {section.title}", "", f"{section.note} {_of_tried(commands, tried=tried)}", ""]
        for block, lines in zip(section.blocks, commands, strict=True):
            parts += [f"### {block.title}", "", *_block(block, section, commands=lines)]
    parts += [
        BESIDE_THE_TABLES,
        *(f"- `{recipe}`: {load_recipe(recipe).title}" for recipe in beside_the_tables()),
        "",
    ]
    return "\n".join(parts)


def beside_the_tables() -> list[str]:
    """Recipes of the systems on the page, and of their small forms, that no command of it trains or shows."""
    named = {recipe for section in sections() for block in section.blocks for recipe in (*block.recipes, *block.show)}
    systems = {recipe.partition("/")[0] for recipe in named}
    return [
        recipe
        for recipe in recipe_ids(ablations=True)
        if recipe not in named and recipe.partition("/")[0].removesuffix("_cpu") in systems
    ]


def _of_tried(commands: Sequence[Sequence[str]], *, tried: Set[str]) -> str:
    lines = [shlex.join(shlex.split(line)) for block in commands for line in block]
    count = sum(line in tried for line in lines)
    return (
        f"All its {count} commands were tried."
        if count == len(lines)
        else f"{count} of its {len(lines)} commands were tried."
    )


def _block(block: Block, section: Section, *, commands: Sequence[str]) -> Iterator[str]:
    if block.without:
        yield from (f"No command: {block.without[0].lower()}{block.without[1:]}", "")
        return
    if block.note:
        yield from (block.note, "")
    yield from ("```bash", *commands, "```", "")
    for (method, variant), recipes in recipes_of_rows(block, section.paper).items():
        yield f"- {' '.join(filter(None, (method, variant)))}: {' and '.join(f'`{recipe}`' for recipe in recipes)}"
    if block.quoted:
        yield f"- quoted by the paper, not built here: {', '.join(block.quoted)}"
    if block.tables:
        yield ""


def _commands(block: Block, section: Section, *, trained: set[Path]) -> Iterator[str]:
    for recipe in block.show:
        yield f"bustle models show {recipe}"
    for data in block.data_sets:
        specs = " ".join(f'"{spec}"' if "?" in spec else spec for spec in data)
        if block.explain:
            run = _run_folder(block.explain, section=section, data=data)
            explained = f'bustle predict "{IMAGES}" --model {run}/fold-0 --explain {block.method} --report'
            yield f"{explained} --out {Path('maps') / section.paper / _slug(block.title, data=())}"
        if block.channels:
            run = _run_folder(block.channels, section=section, data=data)
            out = Path("maps") / section.paper / _slug(block.title, data=())
            yield f"bustle evaluate --model {run}/fold-0 --data {specs} --save-channels --out {out}"
        for recipe in block.recipes:
            name, run = block.named(recipe), _run_folder(block.named(recipe), section=section, data=data)
            if run not in trained:
                trained.add(run)
                rules = f"--track published --protocol {section.protocol}"
                yield f"bustle train {name} --data {specs} {rules} --out {run}"
        compared = block.compare or (block.recipes[-1:] + block.recipes[:-1])
        if len(compared) > 1:
            runs = " ".join(str(_run_folder(block.named(one), section=section, data=data)) for one in compared)
            out = Path("comparisons") / section.paper / _slug(block.title, data=data if block.apart else ())
            yield f"bustle compare {runs} --data {specs} --out {out}"


def _run_folder(recipe: str, *, section: Section, data: Sequence[str]) -> Path:
    sources = "-".join(spec.partition(":")[0] for spec in data)
    return Path("runs") / section.paper / f"{recipe.replace('/', '-').partition('@')[0]}-{sources}"


def _slug(title: str, *, data: Sequence[str]) -> str:
    words = title.partition(":")[0].lower().replace(".", "").replace(",", "").split()
    return "-".join([*words, *(spec.partition(":")[0] for spec in data)])


def main() -> None:
    write_text(PAGE, render())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
