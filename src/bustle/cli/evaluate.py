"""`bustle evaluate`: score a model, or the masks of any other tool, on annotated data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from bustle.core.errors import InputError
from bustle.core.explanation import METHODS
from bustle.core.paths import given_path
from bustle.core.run_layout import ScoredFolder

if TYPE_CHECKING:
    from bustle.core.types import Case

HELP = "score a trained model, or masks made by any other tool, on annotated data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    method = parser.add_mutually_exclusive_group(required=True)
    method.add_argument(
        "--model",
        type=given_path,
        metavar="RUN|PACKAGE",
        help="a run folder, one fold of it (RUN/fold-K), or a package of `bustle export`",
    )
    method.add_argument(
        "--predictions",
        type=given_path,
        metavar="DIR",
        help="prediction files: DIR/<stem>.png or DIR/<case_id>/mask.png, and optionally DIR/probabilities.csv",
    )
    parser.add_argument(
        "--data", nargs="+", action="extend", required=True, metavar="SPEC", help="READER:PATH[?key=value&...]"
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--track", choices=("strict", "published"), default="strict", help="default: strict")
    parser.add_argument(
        "--protocol", metavar="ID", help="the published track's protocol (default with --model: its recipe's own)"
    )
    parser.add_argument(
        "--groups",
        default="patient",
        metavar="patient|file|duplicates|AUDIT.json",
        help="what the intervals resample as a whole: the patient, else the file (default); every file; the patient "
        "and near-duplicate images, which are sought for minutes or read from the audit.json of `bustle data audit`",
    )
    parser.add_argument(
        "--missing",
        choices=("error", "as-empty"),
        default="error",
        help="with --predictions: what a case without a prediction is (default: error)",
    )
    parser.add_argument(
        "--skip-damaged",
        action="store_true",
        help="leave out cases whose image or mask cannot be read or does not fit, and name them in the result "
        "(default: refuse them before anything is predicted)",
    )
    parser.add_argument(
        "--explain",
        nargs="*",
        choices=METHODS,
        metavar="METHOD",
        help="with --model: also check on up to 60 cases whether its maps explain, against a random order "
        "and a network with shuffled weights, and whether uncertainty points at what is outlined wrongly: "
        f"{', '.join(METHODS)} (default: the best that it offers)",
    )
    parser.add_argument(
        "--save-channels",
        action="store_true",
        help="with --model, a run: also write the maps that the network makes by itself of every case (channel_*.png "
        "and in 16 bits channel_*_map.png or .nrrd)",
    )
    parser.add_argument(
        "--challenge",
        choices=("tdsc-abus",),
        help="with --predictions: score a submission (DIR/Segmentation/MASK_*.nrrd, DIR/Classification/*.csv, "
        "DIR/Detection/*.csv) by the official metrics of TDSC-ABUS 2023 instead",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="with --model (default: auto)"
    )


def run(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import check_specs, open_sources

    if arguments.out.is_file():
        raise InputError("is a file", remedy="give a folder for --out", path=arguments.out)
    check_specs(arguments.data)  # before the imports that take seconds
    from bustle.experiments.evaluate import evaluate
    from bustle.inference.predictor import Predictor
    from bustle.report.evaluation_page import headline_cards
    from bustle.report.wording import interval, resampled_groups, with_unit

    if arguments.challenge is not None:
        return _score_challenge(arguments)
    load_data = cache(lambda: open_sources(arguments.data))
    result = evaluate(
        arguments.predictions or partial(Predictor.open, arguments.model, device=arguments.device),
        load_data=load_data,
        out=arguments.out,
        track=arguments.track,
        protocol=arguments.protocol,
        groups=arguments.groups,
        missing=arguments.missing,
        skip_damaged=arguments.skip_damaged,
        explain=arguments.explain,
        save_channels=arguments.save_channels,
    )
    for warning in result.warnings:
        print(f"warning: {warning}")
    print(f"{result.title}: {result.n_cases} cases, track {result.track}")
    for card in headline_cards(result):
        unit = card.entry.unit
        value, bounds = with_unit(card.entry.mean, unit), interval(card.entry.ci95, unit)
        print(f"  {card.title:<32} {value:>12}   95 % {bounds}   ({card.remark})")
    if arguments.model is not None:
        _score_videos(arguments.out, load_data().cases)
    print(f"intervals: {resampled_groups(result.n_groups)} ({result.resampled}; groups: {result.groups})")
    print(f"report: {ScoredFolder(arguments.out).report}")
    return 0


def _score_videos(out: Path, cases: Sequence[Case]) -> None:
    """Where the cases are frames of videos, also by lesion and patient."""
    from bustle.core.config import to_mapping
    from bustle.core.files import write_json
    from bustle.experiments.scored_method import RESAMPLES
    from bustle.reading.video_scores import score_videos
    from bustle.report.wording import interval, with_unit

    folder = ScoredFolder(out)
    scores = score_videos(cases, folder.predictions(located=False), resamples=RESAMPLES)
    if scores is None:
        return
    write_json(folder.videos, to_mapping(scores))
    lines = [
        ("lesions found", scores.lesions_found, f"{scores.false_lesions} others followed where there is none"),
        ("AUC of the lesions found", scores.of_lesions.auc, "one answer each"),
        ("AUC of patients", scores.of_patients.auc, "one answer each"),
    ]
    print(f"{scores.videos} videos, by lesion and patient:")
    for title, figure, remark in lines:
        value, bounds = with_unit(figure.value, "fraction"), interval(figure.ci95, "fraction")
        print(f"  {title:<32} {value:>12}   95 % {bounds}   ({figure.n}; {remark})")


def _score_challenge(arguments: argparse.Namespace) -> int:
    from bustle.data.sources import open_sources
    from bustle.experiments.own_outputs import CHALLENGE_CASES, CHALLENGE_RESULT
    from bustle.experiments.reader_findings import tell_findings
    from bustle.experiments.tdsc_abus import score_submission

    others = arguments.protocol is not None or arguments.groups != "patient" or arguments.skip_damaged
    others = others or arguments.explain is not None or arguments.save_channels
    if arguments.predictions is None or others:
        raise InputError(
            "--challenge goes with --predictions and without --protocol, --groups, --skip-damaged, --explain and "
            "--save-channels",
            remedy="change the options",
        )
    collection = open_sources(arguments.data)
    tell_findings(collection)
    result = score_submission(
        arguments.predictions, cases=collection.cases, out=arguments.out, missing=arguments.missing
    )
    for warning in result.warnings:
        print(f"warning: {warning}")
    print(f"{result.challenge}: {result.n_cases} cases, official metrics")
    masks, classes, boxes = result.segmentation, result.classification, result.detection
    if masks is not None:
        distance = "infinite" if masks.hd_voxels is None else f"{masks.hd_voxels:.4f} voxels"
        print(f"  segmentation    Dice {masks.dice:.4f}, HD {distance} ({masks.n_infinite} cases infinite)")
    if classes is not None:
        area = "undefined" if classes.auc is None else f"{classes.auc:.4f}"
        print(f"  classification  accuracy {classes.accuracy:.4f}, AUC {area}")
    if boxes is not None:
        print(f"  detection       FROC {boxes.froc:.4f}")
    for board, place in (result.ranks or {}).items():
        if place is not None:
            print(f"  {board} board: score {place.score:.4f}, rank {place.rank} of {place.teams}")
    print(f"files: {arguments.out / CHALLENGE_RESULT}, {arguments.out / CHALLENGE_CASES}")
    return 0
