"""A submission to the TDSC-ABUS 2023 challenge, scored by the challenge's own metrics."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bustle.core.claimed_output import claim_folder
from bustle.core.config import to_mapping
from bustle.core.csv_cells import cell_of_text
from bustle.core.errors import InputError
from bustle.core.files import write_json, write_text
from bustle.core.progress import progress
from bustle.core.provenance import provenance
from bustle.core.types import Case
from bustle.evaluation.challenge_results import (
    BoardPlace,
    ChallengeClassification,
    ChallengeDetection,
    ChallengeResult,
    ChallengeRow,
    ChallengeSegmentation,
)
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
from bustle.experiments.own_outputs import CHALLENGE, CHALLENGE_CASES, CHALLENGE_RESULT
from bustle.experiments.scored_pairs import Missing
from bustle.experiments.tdsc_abus_files import CLASSIFICATION, DETECTION, SEGMENTATION, case_number, read_submission

OWN_NAME = "this submission"


def score_submission(
    submission: Path, *, cases: Sequence[Case], out: Path, missing: Missing = "error"
) -> ChallengeResult:
    """Write `challenge.json` and `challenge_cases.csv` into `out`; returns the content of the first.

    Over all of the given cases, which need a mask and a class. With `missing` "as-empty" a case without a mask has
    an empty one: Dice 0 and an infinite HD, as the challenge counted it. `ranks` says where the submission would
    stand among the challenge's teams, and is None unless the cases are the 70 of its test part. Raises `InputError`
    for a broken submission, and an `out` that holds anything else than an earlier score.
    """
    with claim_folder(out, CHALLENGE) as claim:
        claim.refuse_inputs([submission, *(file for case in cases for file in case.files)])
        claim.refuse_foreign()
        rows, result = _scored(submission, cases=cases, missing=missing)
        claim.begin(clear=True)
        _write_cases(out / CHALLENGE_CASES, rows)
        write_json(out / CHALLENGE_RESULT, to_mapping(result))
    return result


def _scored(
    submission: Path, *, cases: Sequence[Case], missing: Missing
) -> tuple[list[ChallengeRow], ChallengeResult]:
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
        overlap, true_box = _score_case(
            case, None if masks is None else masks.get(number), segmented=masks is not None
        )
        proposed = (boxes or {}).get(number, [])
        rows.append(
            ChallengeRow(
                case_id=case.case_id,
                label=case.label,
                dice=None if overlap is None else overlap.dice,
                hd=None if overlap is None else overlap.hd,
                probability=(classes or {}).get(number),
                boxes=None if boxes is None else len(proposed),
            )
        )
        volumes.append(BoxedVolume([true_box], [box for box, _ in proposed], [value for _, value in proposed]))
    result = ChallengeResult(
        challenge="TDSC-ABUS 2023",
        n_cases=len(rows),
        segmentation=None if masks is None else _segmentation(rows),
        classification=None if classes is None else _classification(rows),
        detection=None if boxes is None else _detection(volumes),
        ranks=None,
        warnings=tuple(warnings),
        provenance=provenance(),
    )
    if set(numbered) == set(TEST_CASES):
        result = dataclasses.replace(result, ranks=_ranks(result))
    return rows, result


class _Overlap(NamedTuple):
    dice: float
    hd: float


def _score_case(case: Case, path: Path | None, *, segmented: bool) -> tuple[_Overlap | None, ChallengeBox]:
    """How well the mask fits, None of a submission without masks, and the true box."""
    from bustle.io.volume import read_mask_volume

    sample = case.load()
    if sample.lesion_mask is None or sample.lesion_mask.ndim != 3 or not sample.lesion_mask.any():
        raise InputError(f"'{case.case_id}' has no tumour mask of a volume", remedy="give the challenge's own data")
    truth = sample.lesion_mask > 0
    if not segmented:
        return None, box_of_mask(truth)
    drawn = np.zeros_like(truth) if path is None else read_mask_volume(path)
    if drawn.shape != truth.shape:
        raise InputError(
            f"is {drawn.shape} voxels, '{case.case_id}' is {truth.shape} (slices, depth, width)",
            remedy="write masks on the volume's own grid",
            path=path,
        )
    return _Overlap(dice(truth, drawn), hausdorff_distance(truth, drawn)), box_of_mask(truth)


def _segmentation(rows: Sequence[ChallengeRow]) -> ChallengeSegmentation:
    distances = np.array([row.hd for row in rows], np.float64)
    overlap = float(np.mean(np.array([row.dice for row in rows], np.float64)))
    finite = bool(np.isfinite(distances).all())
    return ChallengeSegmentation(
        dice=overlap,
        hd_voxels=float(distances.mean()) if finite else None,
        n_infinite=int(np.isinf(distances).sum()),
        score=overlap - float(distances.mean()) if finite else None,
    )


def _classification(rows: Sequence[ChallengeRow]) -> ChallengeClassification:
    malignant = np.array([row.label == "malignant" for row in rows])
    probability = np.array([row.probability for row in rows], np.float64)
    correct, area = accuracy(malignant, probability), auc(malignant, probability)
    score = None if area is None else (correct + area) / 2
    return ChallengeClassification(accuracy=correct, auc=area, score=score)


def _detection(volumes: Sequence[BoxedVolume]) -> ChallengeDetection:
    found = froc(volumes)
    rates = zip(FROC_RATES, found.sensitivities, strict=True)
    return ChallengeDetection(froc=found.mean, sensitivities={f"{rate:g}": value for rate, value in rates})


def _ranks(result: ChallengeResult) -> dict[str, BoardPlace | None]:
    """By board; None where it does not stand on a board."""
    masks, classes, boxes = result.segmentation, result.classification, result.detection
    own = TeamFigures(
        dice=None if masks is None else masks.dice,
        hd=None if masks is None else math.inf if masks.n_infinite else masks.hd_voxels,
        accuracy=None if classes is None else classes.accuracy,
        auc=None if classes is None else classes.auc,
        froc=None if boxes is None else boxes.froc,
    )
    return {
        board: BoardPlace(score=scores[OWN_NAME], rank=list(scores).index(OWN_NAME) + 1, teams=len(scores))
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


def _write_cases(path: Path, rows: Sequence[ChallengeRow]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(ChallengeRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {name: "" if value is None else value for name, value in to_mapping(row).items()}
        writer.writerow({n: cell_of_text(cell) if isinstance(cell, str) else cell for n, cell in cells.items()})
    write_text(path, text.getvalue())
