"""The folder of a small finished run, made by hand as `bustle train` leaves it, without weights and predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.made_results import write_made_metrics

from bustle.core.config import to_mapping
from bustle.core.recipe import load_protocol, load_recipe, save_recipe
from bustle.core.run_layout import RunLayout, TrackFiles, TrainingFolder
from bustle.data.splits.split_file import write_splits
from bustle.data.splits.splits import Fold, Splits
from bustle.evaluation.case_table import CaseRow, read_cases, write_cases
from bustle.evaluation.detection import DetectedCase
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.result_files import read_track, write_result
from bustle.evaluation.results import FoldResult, RunResult, RunTrack
from bustle.evaluation.summary import Scoring, summarise

CLASSES = ("benign", "malignant")


def made_rows(numbers: Sequence[int], *, better: float = 0.0) -> list[CaseRow]:
    return [
        CaseRow(
            case_id=f"made/{number}",
            group_id=f"g{number // 2}",
            source="made",
            label=CLASSES[number % 2],
            probabilities={"benign": 1 - (number + 1) / 13, "malignant": (number + 1) / 13},
            decision=CLASSES[number > 5],
            dice=0.5 + number / 41 + better,
            hd95_px=5 + number / 7,
            area=90 + number,
            truth_empty=False,
            prediction_empty=False,
            false_positive_area=0,
        )
        for number in numbers
    ]


def write_run(path: Path, *, folds: Sequence[Sequence[int]] = (range(6), range(6, 12)), better: float = 0.0) -> None:
    """Two folds of six cases each, or as `folds` says, on the strict track, with lesions sought in every case."""
    run = RunLayout(path)
    save_recipe(load_recipe("rmtl_net_cpu"), run.recipe)
    ids = [f"made/{number}" for number in range(12)]
    tested = [tuple(ids[number] for number in fold) for fold in folds]
    parts = tuple(Fold(tuple(name for name in ids if name not in test), (), test) for test in tested)
    groups = {name: f"g{number // 2}" for number, name in enumerate(ids)}
    write_splits(run.splits, Splits("strict", "strict", 0, parts, (), groups))
    write_sessions(run, seconds=(None, 12.5))
    for number, cases in enumerate(folds):
        fold = run.fold(number)
        rows = made_rows(cases, better=better)
        _write_track(fold.main, rows, track="strict", protocol="strict")
        _write_track(fold.companion("published"), rows, track="published", protocol="rmtl")
        _write_history(fold, epochs=3)
        _write_history(fold.stage("located"), epochs=2)
    main, companion = (
        _run_track([files(fold) for fold in run.folds()])
        for files in (lambda fold: fold.main, lambda fold: fold.companion("published"))
    )
    result = RunResult(
        title="A made-up run",
        recipe="rmtl_net_cpu",
        track=main.track,
        protocol=main.protocol,
        folds=tuple(_fold_result(number) for number in range(len(folds))),
        over_folds=main.over_folds,
        pooled=main.pooled,
        companion=companion,
    )
    write_result(run.summary, result)


def write_sessions(run: RunLayout, *, seconds: Sequence[float | None]) -> None:
    session = {
        "command": ["bustle", "train", "rmtl_net_cpu"],
        "versions": {"python": "3.12.0"},
        "code_revision": None,
        "platform": "made up",
        "processors": 2,
        "started": "2026-01-01T00:00:00Z",
        "hardware": {"processor": "made up", "threads": 1, "gpus": []},
    }
    data = {"made": {"cases": 12, "sha256": "0" * 64}}
    sessions = [session | {"seconds": value} for value in seconds]
    run.provenance.write_text(json.dumps({"data": data, "init": None, "sessions": sessions}))


def _write_track(files: TrackFiles, rows: Sequence[CaseRow], *, track: str, protocol: str) -> None:
    write_cases(files.cases, rows, classes=CLASSES)
    write_made_metrics(files.metrics, rows, classes=CLASSES, title="A fold", track=track, protocol=protocol)
    detected = [
        DetectedCase(
            case_id=row.case_id,
            group_id=row.group_id,
            hit_scores=(0.9, None),
            lesion_mm3=(50.5, 3.0),
            false_scores=(),
        )
        for row in rows
    ]
    files.detected.write_text(json.dumps(to_mapping(detected)))


def _write_history(folder: TrainingFolder, *, epochs: int) -> None:
    folder.history.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{epoch},{1 / epoch!r},,{epoch / 3!r}\n" for epoch in range(1, epochs + 1))
    folder.history.write_text(f"epoch,train_loss,val_auc,seconds\n{rows}")


def _run_track(folds: Sequence[TrackFiles]) -> RunTrack:
    scored = [read_track(files.metrics) for files in folds]
    protocol = load_protocol(scored[0].protocol)
    rows = [row for files in folds for row in read_cases(files.cases)]
    scoring = Scoring(protocol=protocol, classes=CLASSES, resamples=2)
    pooled = summarise(rows, scoring=scoring, track=scored[0].track)
    return RunTrack(
        track=scored[0].track,
        protocol=protocol.id,
        over_folds=summarise_folds(scored, pooled=pooled, protocol=protocol),
        pooled=pooled,
    )


def _fold_result(number: int) -> FoldResult:
    return FoldResult(
        fold=number,
        best_epoch=2,
        epochs=3,
        training_seconds=1.5,
        validation={"val_auc": None},
        earlier_stages={"located": 2},
    )
