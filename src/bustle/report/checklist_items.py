"""The items of CLAIM 2024 and of TRIPOD+AI, by what they ask; those that ask the same stand together.

Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update (Radiology: Artificial Intelligence,
2024); TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use regression or machine
learning methods (BMJ, 2024). The words are short forms; the checklists themselves are to be handed in.
"""

from __future__ import annotations

from typing import NamedTuple


class ChecklistItem(NamedTuple):
    """`tripod` is empty where TRIPOD+AI has no item for it, `claim` None where CLAIM has none."""

    claim: int | None
    tripod: tuple[str, ...]
    asks: str

    @property
    def key(self) -> int | str:
        """The number in CLAIM, else that in TRIPOD+AI."""
        return self.tripod[0] if self.claim is None else self.claim


_OF_CLAIM = tuple(
    ChecklistItem(number, tuple(tripod.split()), asks)
    for number, (tripod, asks) in enumerate(
        (
            ("1", "title names the methodology"),
            ("2", "structured abstract"),
            ("3a 3b", "background, intended use and role"),
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
            ("12c 15 22", "model, its inputs and outputs"),
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
            ("12g 16", "testing on external data"),
            ("18d", "registration"),
            ("20a", "cases included and excluded"),
            ("20b 20c", "demographics and clinical characteristics of every data set"),
            ("23a", "performance with its uncertainty"),
            ("23a", "diagnostic performance and its precision"),
            ("", "failures"),
            ("26", "limitations"),
            ("25 27c", "implications for practice"),
            ("18c", "study protocol"),
            ("18e 18f 22", "availability of software, model and data"),
            ("18a", "funding"),
        ),
        start=1,
    )
)

_OF_TRIPOD_ALONE = tuple(
    ChecklistItem(None, (number,), asks)
    for number, asks in (
        ("3c", "known inequalities in health between groups"),
        ("5b", "dates of the data, from the first case to the last"),
        ("6a", "setting: level of care, number and place of centres"),
        ("6c", "treatments received"),
        ("8c", "blinding of those who established the class"),
        ("9a", "choice of the inputs"),
        ("9c", "who measured inputs that are a matter of judgement"),
        ("12b", "scaling and transformation of the inputs"),
        ("12f", "recalibration or other updates after the evaluation"),
        ("13", "how class imbalance was met, and recalibration after it"),
        ("14", "what was done for fairness"),
        ("17", "ethics approval and consent"),
        ("18b", "conflicts of interest"),
        ("19", "involvement of patients and the public"),
        ("21", "cases of each class in every analysis"),
        ("23b", "differences of performance between sites or devices"),
        ("24", "results of updates of the model"),
        ("27a", "what is done with poor or missing input in use"),
        ("27b", "what users have to do and to know"),
    )
)
ITEMS = (*_OF_CLAIM, *_OF_TRIPOD_ALONE)
