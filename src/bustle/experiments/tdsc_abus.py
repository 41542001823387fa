"""A submission to the TDSC-ABUS 2023 challenge, scored by the challenge's own metrics."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bustle.core.errors import InputError
from bustle.core.files import write_json, write_text
from bustle.core.progress import progress
from bustle.core.provenance import provenance
from bustle.core.types import Case
from bustle.evaluation.metrics import FROC_RATES
from bustle.evaluation.tdsc_abus import (
    BoxedVolume,
    ChallengeBox,
    accuracy,
    auc,
    box_of_mask,
    dice,
    froc,
    hausdorff_distance,
)
from bustle.evaluation.tdsc_abus_ranking import TEST_CASES, TeamFigures, boards, published_teams
from bustle.experiments.scored_pairs import Missing
from bustle.experiments.tdsc_abus_files import CLASSIFICATION, DETECTION, SEGMENTATION, case_number, read_submission

RESULT, CASE_TABLE = "challenge.json", "challenge_cases.csv"
OWN_NAME = "this submission"
Row = dict[str, Any]


def score_submission(
    submission: Path, *, cases: Sequence[Case], out: Path, missing: Missing = "error"
) -> dict[str, Any]:
    """Write `challenge.json` and `challenge_cases.csv` into `out`; returns the content of the first.

    Over all of the given cases, which need a mask and a class. With `missing` "as-empty" a case without a mask has
    an empty one: Dice 0 and an infinite HD, as the challenge counted it. `ranks` says where the submission would
    stand among the challenge's teams, and is None unless the cases are the 70 of its test part. Raises `InputError`
    for a broken submission.
    """
    numbered = _numbered(cases)
    read = read_submission(submission)
    masks, classes, boxes = read.masks, read.probabilities, read.boxes
    if masks is not None and missing == "error":
        _refuse_gaps(numbered, masks, what="mask", path=submission / SEGMENTATION)
    if classes is not None:
        _refuse_gaps(numbered, classes, what="class probability", path=submission / CLASSIFICATION)
    warnings = [
        f"{len(surplus)} cases of {folder} are not among the data and were left out"
        for folder, table in ((SEGMENTATION, masks), (CLASSIFICATION, classes), (DETECTION, boxes))
        if (surplus := set(table or ()) - set(numbered))
    ]
    rows, volumes = [], []
    for number, case in progress(list(numbered.items()), description="score"):
        row, true_box = _score_case(case, None if masks is None else masks.get(number), segmented=masks is not None)
        proposed = (boxes or {}).get(number, [])
        row |= {"probability": (classes or {}).get(number), "boxes": None if boxes is None else len(proposed)}
        rows.append(row)
        volumes.append(BoxedVolume([true_box], [box for box, _ in proposed], [value for _, value in proposed]))
    result: dict[str, Any] = {
        "challenge": "TDSC-ABUS 2023",
        "n_cases": len(rows),
        "segmentation": None if masks is None else _segmentation(rows),
        "classification": None if classes is None else _classification(rows),
        "detection": None if boxes is None else _detection(volumes),
    }
    result |= {
        "ranks": _ranks(result) if set(numbered) == set(TEST_CASES) else None,
        "warnings": warnings,
        "provenance": provenance(),
    }
    _write_cases(out / CASE_TABLE, rows)
    write_json(out / RESULT, result)
    return result


def _score_case(case: Case, path: Path | None, *, segmented: bool) -> tuple[Row, ChallengeBox]:
    from bustle.io.volume import read_mask_volume

    sample = case.load()
    if sample.lesion_mask is None or sample.lesion_mask.ndim != 3 or not sample.lesion_mask.any():
        raise InputError(f"'{case.case_id}' has no tumour mask of a volume", remedy="give the challenge's own data")
    truth = sample.lesion_mask > 0
    row: Row = {"case_id": case.case_id, "label": case.label, "dice": None, "hd": None}
    if segmented:
        drawn = np.zeros_like(truth) if path is None else read_mask_volume(path)
        if drawn.shape != truth.shape:
            raise InputError(
                f"is {drawn.shape} voxels, '{case.case_id}' is {truth.shape} (slices, depth, width)",
                remedy="write masks on the volume's own grid",
                path=path,
            )
        row |= {"dice": dice(truth, drawn), "hd": hausdorff_distance(truth, drawn)}
    return row, box_of_mask(truth)


def _segmentation(rows: Sequence[Row]) -> dict[str, Any]:
    """`hd_voxels` and `score` are None where a single case has an infinite HD, as their means then are infinite."""
    distances = np.array([row["hd"] for row in rows])
    overlap = float(np.mean([row["dice"] for row in rows]))
    finite = bool(np.isfinite(distances).all())
    return {
        "dice": overlap,
        "hd_voxels": float(distances.mean()) if finite else None,
        "n_infinite": int(np.isinf(distances).sum()),
        "score": overlap - float(distances.mean()) if finite else None,
    }


def _classification(rows: Sequence[Row]) -> dict[str, Any]:
    malignant = np.array([row["label"] == "malignant" for row in rows])
    probability = np.array([row["probability"] for row in rows], np.float64)
    correct, area = accuracy(malignant, probability), auc(malignant, probability)
    return {"accuracy": correct, "auc": area, "score": None if area is None else (correct + area) / 2}


def _detection(volumes: Sequence[BoxedVolume]) -> dict[str, Any]:
    found = froc(volumes)
    return {
        "froc": found.mean,
        "sensitivities": {f"{rate:g}": value for rate, value in zip(FROC_RATES, found.sensitivities, strict=True)},
    }


def _ranks(result: Mapping[str, Any]) -> dict[str, Any]:
    """By board: score, rank and the number of teams with this one; None where it does not stand on a board."""
    masks, classes, boxes = (result[task] or {} for task in ("segmentation", "classification", "detection"))
    own = TeamFigures(
        dice=masks.get("dice"),
        hd=math.inf if masks.get("n_infinite") else masks.get("hd_voxels"),
        accuracy=classes.get("accuracy"),
        auc=classes.get("auc"),
        froc=boxes.get("froc"),
    )
    return {
        board: {"score": scores[OWN_NAME], "rank": list(scores).index(OWN_NAME) + 1, "teams": len(scores)}
        if OWN_NAME in scores
        else None
        for board, scores in boards({**published_teams(), OWN_NAME: own}).items()
    }


def _numbered(cases: Sequence[Case]) -> dict[int, Case]:
    numbered: dict[int, Case] = {}
    for case in cases:
        number = case_number(case.case_id)
        if number is None or number in numbered:
            raise InputError(
                f"'{case.case_id}' has no number of its own in the challenge",
                remedy="give the challenge's data with the reader tdsc-abus",
            )
        if case.label not in ("benign", "malignant"):
            raise InputError(f"'{case.case_id}' has no class", remedy="give the challenge's data with its labels.csv")
        numbered[number] = case
    return numbered


def _refuse_gaps(numbered: Mapping[int, Case], found: Mapping[int, object], *, what: str, path: Path) -> None:
    absent = [str(number) for number in numbered if number not in found]
    if absent:
        some = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        remedy = "add them" + (", or count each as empty with --missing as-empty" if what == "mask" else "")
        raise InputError(f"{len(absent)} of {len(numbered)} cases have no {what} ({some})", remedy=remedy, path=path)


def _write_cases(path: Path, rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    write_text(path, text.getvalue())
