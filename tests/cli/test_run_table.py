"""What a run prints when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bustle.cli.run_table import print_run
from bustle.core.recipe import Track, load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.cases import PredictedCase, TruthCase, score_case
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.summary import summarise, summarise_folds

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


def track_summary(track: Track, protocol: str, iou: list[float]) -> dict[str, Any]:
    folds = []
    settings = {"protocol": load_protocol(protocol), "classes": CLASSES, "track": track, "resamples": 20}
    for value in iou:
        fold = summarise(rows(protocol), **settings)
        fold["segmentation"]["iou"]["mean"] = value
        folds.append(fold)
    return {
        "track": track,
        "protocol": protocol,
        "over_folds": summarise_folds(folds, pooled=folds[0], protocol=load_protocol(protocol)),
        "pooled": folds[0],
    }


def run_summary(iou: list[float]) -> dict[str, Any]:
    main = track_summary("published", "lanet", iou)
    companion = track_summary("strict", "strict", iou)
    return main | {"title": "LA-Net", "folds": [{"fold": k} for k in range(len(iou))], "companion": companion}


def test_la_nets_repeats_print_the_half_width_and_say_so(capsys: pytest.CaptureFixture[str]):
    print_run(run_summary([0.438, 0.432, 0.445]), Path("run"))
    lines = capsys.readouterr().out.splitlines()
    (iou,) = (line for line in lines if line.startswith("IoU"))
    assert iou.split()[2:8] == ["0.438", "±", "0.016", "0.438", "±", "0.007"]
    (box,) = (line for line in lines if line.startswith("Box IoU"))
    assert box.split()[2] == "0.818"  # 9 of 11 columns
    assert lines[-1].startswith(
        "mean ± half width of the 95 % t interval over folds (published), SD over folds (ddof 1) (strict); "
    )


def test_one_fold_prints_its_interval(capsys: pytest.CaptureFixture[str]):
    print_run(run_summary([0.438]), Path("run"))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Dice") and "[0.900 to 0.900]" in line for line in lines)
    assert lines[-1].startswith("95 % interval in brackets; ")
