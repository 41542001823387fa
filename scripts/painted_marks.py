"""What marks burned into a picture change in the reference model's answers: a shortcut would show here.

Usage: `.venv/bin/python scripts/painted_marks.py --data SPEC... --split SPLIT.json --json FILE`. Each test case of
the split's only fold is answered as it is, and once more with calipers, dotted lines and letters painted on it at
random, whatever its class and wherever its lesion. `scripts/generate_reference_page.py` makes the table of
docs/reference/reference-model.md of the JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from reference_views import RESAMPLES, figure, group_weights
from similar_cases import share

from bustle.core.files import write_json
from bustle.core.progress import progress
from bustle.core.types import Case
from bustle.data.sources import open_sources
from bustle.data.splits.split_file import read_splits
from bustle.data.transforms.drawn_fields import marks_field
from bustle.evaluation.classification import areas_under_roc
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import REFERENCE

MOST_CALIPERS = 4


class Answered(NamedTuple):
    """What is said of one picture: the network's P(malignant), the decision, and Dice of the answer's outline.

    Dice is NaN of a normal.
    """

    malignant: float
    decision: str
    dice: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, metavar="SPEC")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    predictor, splits = Predictor.open(Path(REFERENCE), device="cpu"), read_splits(arguments.split)
    (fold,) = splits.folds
    cases = [case for case in open_sources(arguments.data).cases if case.case_id in set(fold.test)]
    shown = progress(list(enumerate(cases)), description="test cases", total=len(cases), unit="case")
    pairs = [both(predictor, case, seed=number) for number, case in shown]
    weights = group_weights([splits.groups[case.case_id] for case in cases])
    rows = compared([str(case.label) for case in cases], pairs, weights=weights)
    write_json(
        arguments.json,
        {"model": predictor.provenance.package, "n": len(cases), "resamples": RESAMPLES, "rows": rows},
    )


def both(predictor: Predictor, case: Case, *, seed: int) -> tuple[Answered, Answered]:
    """The answers of the case as it is and with marks."""
    sample = case.load()
    random = np.random.default_rng(seed)
    count, grey = int(random.integers(1, MOST_CALIPERS + 1)), int(random.integers(150, 256))
    marks = marks_field(sample.image.shape[-2:], count=count, grey=grey, seed=seed)
    painted = np.where(marks > 0, marks, sample.image)
    lesion = np.zeros(marks.shape, bool) if sample.lesion_mask is None else sample.lesion_mask > 0
    return (
        answered(predictor, sample.image, lesion=lesion, name=case.case_id),
        answered(predictor, painted, lesion=lesion, name=case.case_id),
    )


def answered(predictor: Predictor, image: np.ndarray, *, lesion: np.ndarray, name: str) -> Answered:
    found = predictor.predict(np.ascontiguousarray(image), case_id=name)
    assert found.class_probabilities is not None
    assert found.decision is not None
    assert found.segmentation is not None
    drawn = found.segmentation.mask > 0
    dice = 2 * (drawn & lesion).sum() / (drawn.sum() + lesion.sum()) if lesion.any() else np.nan
    return Answered(found.class_probabilities["malignant"], found.decision, float(dice))


def compared(labels: Sequence[str], pairs: Sequence[tuple[Answered, Answered]], *, weights: np.ndarray) -> list[Any]:
    """A row of figures with intervals over groups for each class, and one for all."""
    truth = np.array(labels)
    plain, marked = ([pair[side] for pair in pairs] for side in (0, 1))
    before, after = (np.array([each.malignant for each in side]) for side in (plain, marked))
    changed = np.array([one.decision != other.decision for one, other in pairs])
    gain = np.array([other.dice - one.dice for one, other in pairs])
    everything = np.full(len(truth), True)
    rows: list[dict[str, Any]] = []
    for words, among in (*((name, truth == name) for name in sorted(set(labels))), ("all", everything)):
        row = {
            "cases": words,
            "n": int(among.sum()),
            "malignant_change": share(after - before, among, weights=weights),
            "decisions_changed": share(changed, among, weights=weights),
        }
        outlined = among & np.isfinite(gain)
        if outlined.any():
            row["dice_change"] = share(np.nan_to_num(gain), outlined, weights=weights)
        rows.append(row)
    areas = [areas_under_roc(truth == "malignant", values, weights=weights) for values in (before, after)]
    rows[-1] |= {"auc": figure(areas[0]), "auc_change": figure(areas[1] - areas[0])}
    return rows


if __name__ == "__main__":
    main()
