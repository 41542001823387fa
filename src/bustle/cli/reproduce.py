"""`bustle reproduce`: a table or figure of a paper, as printed, as published by us, and strictly."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bustle.cli.engine_options import add_engine_arguments, chosen_engine
from bustle.cli.study_options import refuse_file
from bustle.cli.time_budget import add_time_budget, seconds_of
from bustle.core.errors import InputError
from bustle.core.paths import given_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bustle.evaluation.reproduction import Reproduction
    from bustle.experiments.reproduction.given_data import GivenData
    from bustle.experiments.reproduction.items import Item
    from bustle.experiments.reproduction.runs import Settings

HELP = "Run a table or figure of a paper again, by its own protocol and strictly, beside what is printed."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("item", metavar="PAPER[/TABLE]", help="such as rmtl_net/table-7, acsnet/fig-7, or rmtl_net")
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        default=[],
        metavar="SPEC",
        help="the papers' public data sets: busi:PATH udiat:PATH; rows without theirs say so",
    )
    parser.add_argument(
        "--stand-in",
        nargs="+",
        action="extend",
        default=[],
        metavar="SPEC",
        help="what takes the place of private data, such as phantom:?volumes=170 (with --smoke a few phantoms do)",
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="DIR", help="where runs and pages go")
    parser.add_argument("--smoke", action="store_true", help="a small form of every row: minutes on a processor")
    parser.add_argument("--dry-run", action="store_true", help="print what would be run, and about how long it takes")
    add_time_budget(parser, of="training")
    parser.add_argument("--resume", action="store_true", help="go on with the reproduction that --out holds")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one repeat each (default: 0)"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="changes of every recipe"
    )
    add_engine_arguments(parser, of="the trainings")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")


def run(arguments: argparse.Namespace) -> int:
    refuse_file(arguments.out)
    if min(arguments.seeds) < 0:
        raise InputError(f"{min(arguments.seeds)} is no seed", remedy="give --seeds whole numbers from 0")
    budget = seconds_of(arguments.time_budget)
    from bustle.experiments.reproduction.given_data import GivenData
    from bustle.experiments.reproduction.items import find_items
    from bustle.experiments.reproduction.runs import Settings

    items = find_items(arguments.item)
    stand_in = arguments.stand_in
    if arguments.smoke and not stand_in:
        from bustle.experiments.reproduction.smoke import smoke_form

        stand_in = [smoke_form().stand_in["volumes" if items[0].section.paper == "cms_vnet_iter" else "images"]]
    given = GivenData.of(arguments.data, stand_in=stand_in)
    settings = Settings(
        smoke=arguments.smoke,
        overrides=tuple(arguments.set),
        seeds=tuple(dict.fromkeys(arguments.seeds)),
        device=arguments.device,
    )
    if arguments.dry_run:
        return _plan(items, given, arguments=arguments, settings=settings)
    from bustle.experiments.reproduction.reproduce import reproduce

    try:
        with ExitStack() as stack:
            outcome = reproduce(
                items,
                given,
                out=arguments.out,
                settings=settings,
                resume=arguments.resume,
                seconds=budget,
                engine=chosen_engine(arguments, stack),
            )
    except KeyboardInterrupt:
        raise InputError(
            "interrupted; what was finished is saved",
            remedy="go on with the same command and --resume",
            path=arguments.out,
        ) from None
    for found in outcome.items:
        _print(found)
        print(f"written to {arguments.out / f'{found.paper}-{found.item}'}.html, .md and .json")
    left = sum(found.open_parts for found in outcome.items)
    if outcome.stopped:
        print(f"stopped: the time is up; {left} trainings are left, go on with the same command and --resume")
    return 0


def _plan(items: Sequence[Item], given: GivenData, *, arguments: argparse.Namespace, settings: Settings) -> int:
    from bustle.experiments.reproduction.estimate import planned_runs
    from bustle.experiments.reproduction.reproduce import opened
    from bustle.experiments.reproduction.runs import all_runs, work_of
    from bustle.training.step_time import step_seconds

    for item in items:
        print(item.title)
        for work in work_of(item, given):
            told = work.data if isinstance(work.data, str) else "runs"
            row = " ".join(filter(None, (work.row.method, work.row.variant, work.row.dataset)))
            print(f"  {row}: {told or 'counted'}")
    runs = all_runs(items, given, settings=settings)
    plan = planned_runs(
        runs,
        out=arguments.out,
        settings=settings,
        collections=opened(runs),
        measure=lambda recipe: step_seconds(recipe, device=settings.device),
    )
    for planned in plan:
        where = f"{planned.run.folder}: {planned.done} of {planned.folds} folds done"
        print(f"  {where}, about {duration(planned.seconds)} to go")
    print(f"{len(plan)} runs, about {duration(sum(each.seconds for each in plan))}; steps measured on this machine")
    return 0


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `7.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _print(found: Reproduction) -> None:
    from bustle.report.reproduction_text import reproduction_text

    print(reproduction_text(found))
