"""`bustle evaluate`: score a model, or the masks of any other tool, on annotated data."""

from __future__ import annotations

import argparse
from pathlib import Path

from bustle.core.errors import InputError

HELP = "score a trained model, or masks made by any other tool, on annotated data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    method = parser.add_mutually_exclusive_group(required=True)
    method.add_argument(
        "--model",
        type=Path,
        metavar="RUN|PACKAGE",
        help="a run folder, one fold of it (RUN/fold-K), or a package of `bustle export`",
    )
    method.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="prediction files: DIR/<stem>.png or DIR/<case_id>/mask.png, and optionally DIR/probabilities.csv",
    )
    parser.add_argument(
        "--data", nargs="+", action="extend", required=True, metavar="SPEC", help="READER:PATH[?key=value&...]"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--track", choices=("strict", "published"), default="strict", help="default: strict")
    parser.add_argument(
        "--protocol", metavar="ID", help="the published track's protocol (default with --model: its recipe's own)"
    )
    parser.add_argument(
        "--missing",
        choices=("error", "as-empty"),
        default="error",
        help="with --predictions: what a case without a prediction is (default: error)",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="with --model (default: auto)"
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources

    if arguments.out.is_file():
        raise InputError("is a file", remedy="give a folder for --out", path=arguments.out)
    check_specs(arguments.data)  # before the imports that take seconds
    from bustle.experiments.evaluate import evaluate_foreign_predictions, evaluate_model
    from bustle.experiments.reader_findings import tell_findings
    from bustle.experiments.run_folder import refuse_run_folder
    from bustle.report.evaluation_page import headline_cards
    from bustle.report.wording import interval, with_unit

    refuse_run_folder(arguments.out)
    collection = open_sources(arguments.data)
    tell_findings(collection)
    cases = collection.cases
    shared = {"cases": cases, "out": arguments.out, "track": arguments.track, "protocol": arguments.protocol}
    if arguments.model is not None:
        if arguments.missing != "error":
            raise InputError("--missing belongs to --predictions", remedy="leave it out")
        metrics = evaluate_model(arguments.model, device=arguments.device, **shared)
    else:
        metrics = evaluate_foreign_predictions(arguments.predictions, missing=arguments.missing, **shared)
    for warning in metrics["warnings"]:
        print(f"warning: {warning}")
    print(f"{metrics['title']}: {metrics['n_cases']} cases, track {metrics['track']}")
    for card in headline_cards(metrics):
        unit = card.entry["unit"]
        value, bounds = with_unit(card.entry["mean"], unit), interval(card.entry["ci95"], unit)
        print(f"  {card.title:<32} {value:>12}   95 % {bounds}   ({card.remark})")
    print(f"report: {arguments.out / 'report.html'}")
    return 0
