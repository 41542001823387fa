"""The same few figures of every subgroup of the scored cases, such as a device or a size of lesions.

Small subgroups say little: without enough cases there is a number of cases and no figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.figures import ShortFigure, Subgroup
from bustle.evaluation.summary import Scoring, summarise_cases

LEAST_CASES, LEAST_OF_CLASS = 20, 10
"""For figures of outlines, and of either class for an AUC."""


def subgroups(
    rows: Sequence[CaseRow], *, kinds: Mapping[str, Mapping[str, str]], scoring: Scoring
) -> tuple[Subgroup, ...]:
    """The figures by every kind; `kinds` maps its name to the subgroup of each case id, others are left out."""
    found = []
    for kind, named in kinds.items():
        for name in sorted(set(named.values())):
            part = [row for row in rows if named.get(row.case_id) == name]
            if part:
                found.append(_subgroup(part, kind=kind, name=name, scoring=scoring))
    return tuple(found)


def known_kinds(rows: Sequence[CaseRow]) -> dict[str, dict[str, str]]:
    """What the rows themselves tell: the source of every case, and the size of its lesion."""
    return {
        "source": {row.case_id: row.source for row in rows},
        "size of the lesion": {row.case_id: row.size_stratum for row in rows if row.size_stratum is not None},
    }


def _subgroup(rows: Sequence[CaseRow], *, kind: str, name: str, scoring: Scoring) -> Subgroup:
    figures = summarise_cases(rows, scoring=scoring)
    labels = [row.label for row in rows]
    malignant = labels.count("malignant")
    masks, classes = figures.segmentation, figures.classification
    enough = min(malignant, labels.count("benign")) >= LEAST_OF_CLASS
    return Subgroup(
        kind=kind,
        name=name,
        n=len(rows),
        n_malignant=malignant,
        dice=ShortFigure.of(None if masks is None else masks["dice"], least=LEAST_CASES),
        missed_lesions=ShortFigure.of(None if masks is None else masks["missed_lesions"], least=LEAST_CASES),
        auc=ShortFigure.of(None if classes is None or not enough else classes.estimates["auc"], least=LEAST_CASES),
    )
