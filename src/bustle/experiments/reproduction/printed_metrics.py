"""Under which of our metrics a printed one stands, and by how much its figures are to be multiplied."""

from __future__ import annotations

from dataclasses import dataclass

from bustle.core.published import PublishedNumber
from bustle.core.recipe import Protocol

HEADLINE = "hd95"
"""Stands for the form of HD95 that a track's protocol leads with."""
_WHATEVER_IS_POSITIVE = ("accuracy", "auc")
"""Of two classes the same, whichever of them is positive, and as means over both."""


@dataclass(frozen=True, kw_only=True)
class OwnMetric:
    """A metric of one part of the catalogue; `scale` makes a printed figure of ours, `unit` is that of the print."""

    title: str
    part: str
    name: str
    unit: str = "fraction"
    scale: float = 1.0
    higher_is_better: bool = True

    def is_same_by(self, first: Protocol, second: Protocol) -> bool:
        """Whether two protocols measure the same quantity under the metric's name, so that a print fits both."""
        if self.part == "classification":
            rules = [(each.positive_class, each.class_average) for each in (first, second)]
            return rules[0] == rules[1] or self.name in _WHATEVER_IS_POSITIVE
        if self.name.startswith(HEADLINE) and first.hd95 != second.hd95:
            return False
        return self.unit != "px" or first.resolution == second.resolution

    @property
    def is_mean_over_cases(self) -> bool:
        """Whether the interval of all folds' cases together is one of the mean over folds, too."""
        return self.part == "segmentation" or self.name in _SHARES


_SEGMENTATION = {
    "SEN": "sensitivity",
    "TPR": "sensitivity",
    "SPE": "specificity",
    "ACC": "accuracy",
    "DSC": "dice",
    "Dice": "dice",
    "Tumor IoU": "iou",
    "IoU": "iou",
    "Jaccard": "iou",
    "JI": "iou",
    "FPR": "fpr_union",  # CTG-Net's: FP / (TP + FP + FN)
    "tFPR": "tfpr",
}
_CLASSIFICATION = {
    "SEN": "sensitivity",
    "Sen": "sensitivity",
    "REC": "sensitivity",
    "SPE": "specificity",
    "Spc": "specificity",
    "PRE": "precision",
    "Pre": "precision",
    "ACC": "accuracy",
    "Acc": "accuracy",
    "F1": "f1",
    "AUC": "auc",
    "FPR": "fpr",
}
_SHARES = ("accuracy", "sensitivity", "specificity", "fpr")
"""Of the cases, or of those of a class."""
_DISTANCES = {"95HD": HEADLINE, "ASD": "asd"}
_ON_BOXES = {"iou": "box_iou", "dice": "box_dice"}
"""LA-Net scores MBUD, which has boxes, by the boxes around its maps."""

DEFAULTS = (
    OwnMetric(title="Dice", part="segmentation", name="dice"),
    OwnMetric(title="IoU", part="segmentation", name="iou"),
    OwnMetric(title="AUC", part="classification", name="auc"),
    OwnMetric(title="Accuracy", part="classification", name="accuracy"),
)
"""What is shown of a figure whose numbers are not printed."""


def own_metric(number: PublishedNumber) -> OwnMetric | None:
    """None for what a run is not measured by, such as costs."""
    if number.task == "cost":
        return None
    higher = number.higher_is_better
    if number.metric in _DISTANCES:
        length = "mm" if number.unit == "mm" else "px"
        name = f"{_DISTANCES[number.metric]}_{length}"
        return OwnMetric(title=number.metric, part="segmentation", name=name, unit=length, higher_is_better=higher)
    part, names = ("segmentation", _SEGMENTATION) if number.task == "seg" else ("classification", _CLASSIFICATION)
    name = names[number.metric]
    if number.dataset == "MBUD":
        name = _ON_BOXES[name]
    percent = number.unit.startswith("percent")
    return OwnMetric(
        title=number.metric,
        part=part,
        name=name,
        unit="percent" if percent else "fraction",
        scale=100.0 if percent else 1.0,
        higher_is_better=higher,
    )
