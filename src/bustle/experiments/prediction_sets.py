"""Which predictions a protocol scores: of a model that searched a volume, or that was told where the lesion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bustle.core.errors import InputError
from bustle.core.recipe import Protocol
from bustle.core.types import Case
from bustle.experiments.predict import predict_cases
from bustle.inference.predictor import Predictor

SEARCHED, LOCATED = "predictions", "predictions_located"
"""Folders of a fold or an evaluation. Of images there is one set of predictions only, the first."""

TOLD = (
    "the network outlines nothing and cannot search a volume: it was shown the patch about the true lesion, "
    "which nobody knows beforehand"
)


def predict_sets(
    predictor: Predictor,
    cases: Sequence[Case],
    folder: Path,
    *,
    protocols: Sequence[Protocol],
    on_failure: Callable[[InputError], None],
) -> None:
    """Write all predictions that the protocols score; volumes that an interrupted run has done are not done again."""
    volumes = predictor.data.resize == "patch"
    located = {protocol.located for protocol in protocols} if volumes else {False}
    if volumes and not predictor.outlines:
        located = {True}
    for told in sorted(located):
        predict_cases(
            predictor,
            cases,
            folder / (LOCATED if told else SEARCHED),
            located=told,
            resume=volumes,
            on_failure=on_failure,
        )


def scored_predictions(folder: Path, protocol: Protocol) -> Path:
    """The set that a protocol scores; the other one where there is no such."""
    names = (LOCATED, SEARCHED) if protocol.located else (SEARCHED, LOCATED)
    return next((folder / name for name in names if (folder / name).is_dir()), folder / SEARCHED)


def told_warnings(folder: Path, protocol: Protocol) -> list[str]:
    """What a person must know who reads figures of a model that was told more than the protocol grants."""
    told = scored_predictions(folder, protocol).name == LOCATED
    return [TOLD] if told and not protocol.located else []
