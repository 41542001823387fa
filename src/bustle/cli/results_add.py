"""`bustle results add`: a finished run as one compact file, which `bustle compare` takes as it takes the run."""

from __future__ import annotations

import argparse

from bustle.core.paths import given_path

HELP = "Write a finished run's figures, cases and learning curves into one file, and its split beside it."
TOLD = (("Dice", "segmentation", "dice"), ("AUC", "classification", "auc"))
"""Of repeats: title, part and metric."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=given_path, metavar="RUN", help="the folder of a finished run")
    parser.add_argument(
        "--to",
        type=given_path,
        default=given_path("results"),
        metavar="DIR",
        help="where the file goes (default: results)",
    )
    parser.add_argument("--name", metavar="NAME", help="of the file, without .json (default: that of the run folder)")


def run(arguments: argparse.Namespace) -> int:
    from bustle.core.run_layout import ResultsFolder
    from bustle.experiments.add_result import add_result
    from bustle.experiments.repeated_results import over_repeats, repeats_of
    from bustle.report.wording import mean_and_sd

    added = add_result(arguments.run, to=arguments.to, name=arguments.name)
    print(f"written: {added.run}, with the split {added.splits}")
    repeats = repeats_of(added.run.stem, folder=ResultsFolder(arguments.to))
    if repeats is not None:
        found = {title: over_repeats(repeats.tracks()[0], part, name) for title, part, name in TOLD}
        figures = [f"{title} {mean_and_sd(*entry)}" for title, entry in found.items() if entry is not None]
        seeds = ", ".join(map(str, repeats.seeds))
        print(f"repeats with the seeds {seeds} ({', '.join(repeats.records)}), mean ± SD: {'; '.join(figures)}")
    return 0
