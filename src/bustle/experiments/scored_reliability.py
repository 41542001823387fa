"""`reliability.json` of scored cases: of an evaluation, a fold, or all folds of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bustle.core.config import to_mapping
from bustle.core.files import write_json
from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.reliability import Reliability, reliability_of
from bustle.evaluation.strata import with_size_strata
from bustle.evaluation.subgroups import known_kinds
from bustle.evaluation.summary import Scoring


def write_reliability(
    path: Path,
    rows: Sequence[CaseRow],
    answers: Sequence[CaseRow],
    *,
    protocol: Protocol,
    classes: Sequence[str],
    resamples: int,
    fold_of: Mapping[str, str] | None = None,
) -> Reliability:
    """Write the file from the rows of the network and of the answers; `fold_of` tells the fold of each case id."""
    stratified = with_size_strata(answers) if answers else []
    kinds = ({} if fold_of is None else {"fold": fold_of}) | known_kinds(stratified)
    kinds["class"] = {row.case_id: row.label for row in stratified if row.label is not None}
    scoring = Scoring(protocol=protocol, classes=classes, resamples=resamples)
    found = reliability_of(rows, stratified, kinds=kinds, scoring=scoring)
    write_json(path, to_mapping(found))
    return found
