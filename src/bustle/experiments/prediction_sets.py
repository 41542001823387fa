"""Which predictions a protocol scores: of a model that searched a volume, or that was told where the lesion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bustle.core.data_section import DataSection, PatchData
from bustle.core.errors import InputError
from bustle.core.explanation import ExplanationMethod
from bustle.core.recipe import Protocol
from bustle.core.run_layout import ScoredFolder
from bustle.core.types import Case
from bustle.experiments.predict import predict_cases
from bustle.inference.predictor import Predictor


def is_told(protocol: Protocol, *, data: DataSection, outlines: bool) -> bool:
    """Whether the model is shown the patch about the true lesion; one that `outlines` nothing cannot search."""
    return data.needs_place and (protocol.located or not outlines)


def is_resumed(data: DataSection) -> bool:
    """Whether predictions of an earlier call are worth keeping: volumes take minutes each."""
    return isinstance(data, PatchData)


def set_folder(folder: Path, protocol: Protocol, *, data: DataSection, outlines: bool) -> Path:
    """Where the predictions are that the protocol scores."""
    return ScoredFolder(folder).predictions(located=is_told(protocol, data=data, outlines=outlines))


def predict_sets(
    predictor: Predictor,
    cases: Sequence[Case],
    folder: Path,
    *,
    protocols: Sequence[Protocol],
    on_failure: Callable[[InputError], None],
    explain: Sequence[ExplanationMethod] = (),
) -> None:
    """Write all predictions that the protocols score, with maps by the methods of `explain`.

    Those that an interrupted run of the same model has done are not done again where `is_resumed`.
    """
    data, outlines = predictor.data, predictor.outlines
    for told in sorted({is_told(protocol, data=data, outlines=outlines) for protocol in protocols}):
        predict_cases(
            predictor,
            cases,
            ScoredFolder(folder).predictions(located=told),
            located=told,
            explain=explain,
            resume=is_resumed(data),
            on_failure=on_failure,
        )


def told_warnings(protocols: Sequence[Protocol], *, data: DataSection, outlines: bool) -> list[str]:
    """What a person must know who reads figures of a model that was told more than a protocol grants."""
    return [
        f"{protocol.id}: the network outlines nothing and cannot search a volume; it was shown the patch about the "
        "true lesion, which nobody knows beforehand"
        for protocol in protocols
        if is_told(protocol, data=data, outlines=outlines) and not protocol.located
    ]
