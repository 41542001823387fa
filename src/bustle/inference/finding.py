"""A prediction in one line for people."""

from __future__ import annotations

from bustle.core.types import Prediction
from bustle.inference.stored_prediction import StoredPrediction


def finding(said: Prediction | StoredPrediction) -> str:
    """What a model says, such as `malignant 0.87, 1 lesion`.

    Of an open case also what it could be: `refer (malignant 0.6, benign 0.4), could be benign or malignant`.
    The probabilities are calibrated where the decision is an answer's; remarks follow, such as `; two frames?`. Empty
    for a model that says nothing.
    """
    answer = said.answer
    probabilities = (said.class_probabilities if answer is None else answer.probabilities) or {}
    words = []
    if said.decision is not None and said.decision in probabilities:
        words.append(f"{said.decision} {probabilities[said.decision]:.2f}")
    elif said.decision is not None:
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])
        told = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
        words.append(f"{said.decision} ({told})" if told else said.decision)
    if answer is not None and answer.left_open:
        words.append(answer.left_open)
    count = None if said.segmentation is None else said.segmentation.lesion_count
    if count is not None and not (answer is not None and answer.draws_nothing):
        words.append("1 lesion" if count == 1 else f"{count} lesions")
    return "; ".join(filter(None, (", ".join(words), *said.remarks)))
