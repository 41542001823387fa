"""What a run prints when it is done."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bustle.cli.run_table import print_run
from bustle.core.recipe import Track, load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.fold_summary import summarise_folds
from bustle.evaluation.results import FoldResult, RunResult, RunTrack
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import Scoring, summarise

CLASSES = ("benign", "malignant")


def rows(protocol: str) -> list[CaseRow]:
    """Squares of 10 x 10, the drawn one 1 pixel to the side."""
    mask = np.zeros((32, 32), bool)
    mask[8:18, 8:18] = True
    scored = []
    for number in range(6):
        malignant = 0.3 + 0.1 * number
        case = f"made/{number}"
        truth = TruthCase(case_id=case, source="made", label=CLASSES[number % 2], mask=mask)
        probabilities = {"benign": 1 - malignant, "malignant": malignant}
        predicted = PredictedCase(
            case_id=case,
            mask=np.roll(mask, 1, axis=1),
            class_probabilities=probabilities,
            decision=CLASSES[malignant > 0.5],
        )
        scored.append(score_case(truth, predicted, protocol=load_protocol(protocol), classes=CLASSES))
    return with_size_strata(scored)


def track_summary(track: Track, protocol: str, iou: list[float]) -> RunTrack:
    rules = load_protocol(protocol)
    scored = summarise(rows(protocol), scoring=Scoring(protocol=rules, classes=CLASSES, resamples=20), track=track)
    assert scored.segmentation is not None
    known = scored.segmentation
    folds = [replace(scored, segmentation={**known, "iou": replace(known["iou"], mean=value)}) for value in iou]
    over_folds = summarise_folds(folds, pooled=folds[0], protocol=rules)
    return RunTrack(track=track, protocol=protocol, over_folds=over_folds, pooled=folds[0])


def run_result(iou: list[float], *, protocol: str = "lanet") -> RunResult:
    main = track_summary("published", protocol, iou)
    trained = {"best_epoch": 1, "epochs": 1, "training_seconds": 1.0, "validation": None, "earlier_stages": {}}
    return RunResult(
        track=main.track,
        protocol=main.protocol,
        over_folds=main.over_folds,
        pooled=main.pooled,
        title="LA-Net",
        recipe="la_net",
        folds=tuple(FoldResult(fold=number, **trained) for number in range(len(iou))),
        companion=track_summary("strict", "strict", iou),
    )


def test_la_nets_repeats_print_the_half_width_and_say_so(capsys: pytest.CaptureFixture[str]):
    print_run(run_result([0.438, 0.432, 0.445]), Path("run"))
    lines = capsys.readouterr().out.splitlines()
    (iou,) = (line for line in lines if line.startswith("IoU"))
    assert iou.split()[2:8] == ["0.438", "±", "0.016", "0.438", "±", "0.007"]
    (box,) = (line for line in lines if line.startswith("Box IoU"))
    assert box.split()[2] == "0.818"  # 9 of 11 columns
    assert lines[-1].startswith(
        "mean ± half width of the 95 % t interval over folds (published), SD over folds (ddof 1) (strict); "
    )


def test_one_fold_prints_its_interval(capsys: pytest.CaptureFixture[str]):
    print_run(run_result([0.438]), Path("run"))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Dice") and "0.900 [–]" in line for line in lines), (
        "all are alike: nothing to resample"
    )
    (accuracy,) = (line for line in lines if line.startswith("Accuracy"))
    assert re.search(r"\d\.\d{3} \[\d\.\d{3} to \d\.\d{3}\]", accuracy)
    assert lines[-1].startswith("95 % interval in brackets: 6 groups resampled; ")


def test_each_track_leads_with_the_distance_of_its_protocol(capsys: pytest.CaptureFixture[str]):
    """ACSNet's tables print the pooled form; the strict track has the larger of the two directions."""
    result = run_result([0.438], protocol="acsnet")
    print_run(result, Path("run"))
    lines = [re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines()]
    shown = {line[0]: line[1:3] for line in lines if line[0].startswith("HD95")}
    pooled, strict = (track.pooled.segmentation for track in result.tracks)
    assert pooled is not None
    assert strict is not None
    assert shown["HD95, pooled"] == [f"{pooled['hd95_pooled_px'].mean:.2f} [–]", "-"]
    assert shown["HD95"] == ["-", f"{strict['hd95_px'].mean:.2f} [–]"]
