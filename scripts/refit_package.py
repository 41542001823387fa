"""Fits the rule of a package anew, as `bustle train --resume --refit` does where the run is at hand, and scores it.

Usage: `.venv/bin/python scripts/refit_package.py PACKAGE --data SPEC... --split SPLIT.json --out NEW --scores DIR`.
The package holds one network, the split is that of its training: the rule is fitted on the validation part of its
only fold, as the shipped recipe says that the package names, and its answers are scored on the test part. What the
package tells of its network stays, and what it tells of its answers becomes these figures;
`generate_reference_card.py` writes the reference model's card.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path

from bustle.core.recipe import load_recipe
from bustle.core.run_layout import ScoredFolder
from bustle.core.tracks import both_tracks
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.data.splits.splits import Splits
from bustle.evaluation.figures import AnswerFigures
from bustle.evaluation.result_files import read_track
from bustle.experiments.calibration_case import calibration_cases
from bustle.experiments.evaluate import score_model
from bustle.experiments.fit_decision import fit_rule
from bustle.experiments.resampling_groups import groups_of_split
from bustle.export.recalibrated_package import write_recalibrated
from bustle.inference.package import FORMAT_VERSION, Package
from bustle.inference.predictor import Predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True, help="the folder of the figures")
    arguments = parser.parse_args()
    package, splits = Package(arguments.package), read_splits(arguments.split)
    (fold,) = splits.folds
    cases = {case.case_id: case for case in open_sources(arguments.data).cases}
    predictor = Predictor.open(arguments.package, device="cpu")
    known = list(calibration_cases(predictor, [cases[name] for name in fold.val], groups=splits.groups))
    rule = fit_rule(known, section=load_recipe(package.record.recipe).rule)
    assert rule is not None, "the package has one, which was fitted on these cases"
    record = dataclasses.replace(package.record, format_version=FORMAT_VERSION, decision=rule)
    with tempfile.TemporaryDirectory() as folder:
        refitted = Path(folder) / arguments.out.name
        write_recalibrated(package, refitted, record=record)
        answers = scored(refitted, [cases[name] for name in fold.test], splits=splits, out=arguments.scores)
    metrics = [dataclasses.replace(old, answers=new) for old, new in zip(record.metrics, answers, strict=True)]
    write_recalibrated(package, arguments.out, record=dataclasses.replace(record, metrics=tuple(metrics)))


def scored(package: Path, cases: list[Case], *, splits: Splits, out: Path) -> list[AnswerFigures | None]:
    """The figures of the answers by each track, of which `out` then holds everything."""
    predictor = Predictor.open(package, device="cpu")
    score_model(
        predictor,
        cases=cases,
        out=out,
        rules=both_tracks("strict", published=predictor.protocol),
        groups=groups_of_split(splits.groups),
        title=predictor.title,
    )
    folder = ScoredFolder(out)
    return [read_track(track.metrics).answers for track in (folder.main, *folder.companions())]


if __name__ == "__main__":
    main()
