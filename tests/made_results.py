"""Results of made-up cases, as an evaluation writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bustle.core.provenance import Provenance
from bustle.core.recipe import load_protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.result_files import write_result
from bustle.evaluation.results import Circumstances, TrackResult
from bustle.evaluation.summary import Scoring, summarise

MADE_UP = Provenance(
    command=("bustle", "evaluate"), versions={"bustle": "0"}, code_revision=None, platform="made up", processors=2
)


def write_made_metrics(
    path: Path,
    rows: Sequence[CaseRow],
    *,
    classes: Sequence[str],
    title: str,
    track: str = "strict",
    protocol: str = "strict",
) -> None:
    scoring = Scoring(protocol=load_protocol(protocol), classes=classes, resamples=2)
    circumstances = Circumstances(
        title=title, model=None, warnings=(), groups="patient", resampled="patients", provenance=MADE_UP
    )
    write_result(path, TrackResult.of(summarise(rows, scoring=scoring, track=track), circumstances))
