"""The items of CLAIM 2024, by what they ask, and which of TRIPOD+AI ask the same; TRIPOD+AI has more.

Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update (Radiology: Artificial Intelligence,
2024); TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use regression or machine
learning methods (BMJ, 2024). The words are short forms; the checklists themselves are to be handed in.
"""

from __future__ import annotations

from typing import NamedTuple


class ChecklistItem(NamedTuple):
    """`tripod` is empty where TRIPOD+AI has no item of its own for it."""

    claim: int
    tripod: str
    asks: str


ITEMS = tuple(
    ChecklistItem(number, tripod, asks)
    for number, (tripod, asks) in enumerate(
        (
            ("1", "title names the methodology"),
            ("2", "structured abstract"),
            ("3a", "background, intended use and role"),
            ("4", "aims and hypotheses"),
            ("5a", "prospective or retrospective"),
            ("4", "goal of the study"),
            ("5a", "data sources"),
            ("6b", "inclusion and exclusion criteria"),
            ("7", "preprocessing"),
            ("12a", "selection of data subsets"),
            ("", "de-identification"),
            ("11", "missing data"),
            ("9b", "image acquisition"),
            ("8a", "definition of the reference standard"),
            ("8a", "reason for that reference standard"),
            ("8b", "who annotated"),
            ("8b", "annotation of the test set"),
            ("", "variability between and within annotators"),
            ("12a", "assignment to partitions"),
            ("12a", "level at which partitions are disjoint"),
            ("10", "intended sample size"),
            ("22", "model, its inputs and outputs"),
            ("", "software and versions"),
            ("12c", "initial parameters"),
            ("12c", "training"),
            ("12c", "selection of the final model"),
            ("12c", "ensembling"),
            ("12e", "metrics"),
            ("12e", "uncertainty and significance"),
            ("12d", "robustness and subgroups"),
            ("", "explainability"),
            ("12c", "evaluation on internal data"),
            ("16", "testing on external data"),
            ("18d", "registration"),
            ("20a", "cases included and excluded"),
            ("20b", "demographics and clinical characteristics"),
            ("23a", "performance with its uncertainty"),
            ("23a", "diagnostic performance and its precision"),
            ("", "failures"),
            ("26", "limitations"),
            ("25, 27c", "implications for practice"),
            ("18c", "study protocol"),
            ("18e, 18f, 22", "availability of software, model and data"),
            ("18a", "funding"),
        ),
        start=1,
    )
)
