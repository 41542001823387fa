"""The catalogue of metrics: what each name means, its unit and which direction is better.

Every printed number takes its words from here; a test compares the documentation's tables with it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """`formula` is in words of pixel or case counts. `is_share`: of cases of which each counts or does not."""

    title: str
    unit: str
    formula: str
    higher_is_better: bool = True
    is_share: bool = False


SEGMENTATION = {
    "dice": Metric("Dice", "fraction", "2TP / (2TP + FP + FN)"),
    "iou": Metric("IoU (Jaccard)", "fraction", "TP / (TP + FP + FN)"),
    "sensitivity": Metric("Pixel sensitivity (TPR, recall)", "fraction", "TP / (TP + FN)"),
    "specificity": Metric("Pixel specificity", "fraction", "TN / (TN + FP)"),
    "accuracy": Metric("Pixel accuracy", "fraction", "(TP + TN) / all pixels"),
    "precision": Metric("Pixel precision", "fraction", "TP / (TP + FP)"),
    "tfpr": Metric("tFPR", "ratio", "FP / (TP + FN); may exceed 1", False),
    "fpr_union": Metric("FPR over the union", "fraction", "FP / (TP + FP + FN)", False),
    "fpr_background": Metric("FPR over the background", "fraction", "FP / (FP + TN)", False),
    "hd95_px": Metric("HD95", "px", "larger of the two directed 95th percentiles of surface distance", False),
    "hd95_mm": Metric("HD95", "mm", "the same, with the pixel spacing", False),
    "hd95_pooled_px": Metric("HD95, pooled", "px", "95th percentile of both directed lists together", False),
    "hd95_pooled_mm": Metric("HD95, pooled", "mm", "the same, with the pixel spacing", False),
    "asd_px": Metric("ASD", "px", "average distance from the predicted surface to the true one", False),
    "asd_mm": Metric("ASD", "mm", "the same, with the pixel spacing", False),
    "assd_px": Metric("ASSD", "px", "average symmetric distance, over the points of both surfaces", False),
    "assd_mm": Metric("ASSD", "mm", "the same, with the pixel spacing", False),
    "box_iou": Metric(
        "Box IoU", "fraction", "of the tight boxes around the largest drawn and the largest true lesion"
    ),
    "box_dice": Metric("Box Dice", "fraction", "of the same boxes: 2 IoU / (1 + IoU)"),
}
DETECTION = {
    "missed_lesions": Metric(
        "Lesions missed", "fraction", "lesion cases in which no drawn pixel is lesion", False, is_share=True
    ),
    "fp_rate_on_normals": Metric(
        "False-positive rate on normals",
        "fraction",
        "cases without a lesion in which one is drawn",
        False,
        is_share=True,
    ),
    "false_positive_area": Metric(
        "False-positive area on normals", "px", "pixels drawn per case without a lesion", False
    ),
}
FROC_RATES = (0.125, 0.25, 0.5, 1, 2, 4, 8)
"""False positives per case at which the sensitivity of lesion detection is read."""
LESION_DETECTION = {
    "lesion_sensitivity": Metric(
        "Lesions found",
        "fraction",
        "true lesions that a candidate hits at the working threshold / all true lesions",
        is_share=True,
    ),
    "false_positives_per_case": Metric(
        "False positives per case",
        "per case",
        "candidates at the working threshold that hit no lesion / all cases, those without a lesion too",
        False,
    ),
    "cpm": Metric("FROC, mean sensitivity (CPM)", "fraction", "mean of the seven sensitivities below"),
    **{
        f"sensitivity_at_{rate:g}": Metric(
            f"Sensitivity at {rate:g} per case",
            "fraction",
            f"greatest share of lesions found with at most {rate:g} false positives per case",
            is_share=True,
        )
        for rate in FROC_RATES
    },
}
CONSISTENCY = {
    "normal_but_drawn": Metric(
        "Called normal, yet a lesion is drawn",
        "fraction",
        "cases called normal with a lesion drawn / all cases called normal",
        False,
        is_share=True,
    ),
    "lesion_but_not_drawn": Metric(
        "Called a lesion, yet nothing is drawn",
        "fraction",
        "cases called a lesion with nothing drawn / all cases called a lesion",
        False,
        is_share=True,
    ),
}
EXPLANATIONS = {
    "deletion": Metric(
        "Deletion", "fraction", "area under the class's probability while what the map shows is blurred first", False
    ),
    "deletion_less_random": Metric(
        "Deletion, less that of a random order",
        "fraction",
        "less a random order's; below 0 explains",
        False,
    ),
    "insertion": Metric(
        "Insertion", "fraction", "area under the class's probability while what the map shows is put back first"
    ),
    "insertion_less_random": Metric(
        "Insertion, less that of a random order", "fraction", "less a random order's; above 0 explains"
    ),
    "likeness_to_shuffled": Metric(
        "Likeness to a shuffled network's map",
        "fraction",
        "Spearman's correlation with the map of the network with shuffled weights; near 0 explains the network",
        False,
    ),
    "error_auc": Metric(
        "Area under the ROC curve for wrong pixels",
        "fraction",
        "how well the map ranks the pixels that are outlined wrongly; 0.5 is chance",
    ),
    "error_auc_less_edge": Metric(
        "Area for wrong pixels, less that of the nearness to the drawn edge",
        "fraction",
        "less that of nearness to the drawn edge; above 0 tells more than that outlines err at their edge",
    ),
}
ANSWERS = {
    "left_open": Metric(
        "Left open",
        "fraction",
        'cases answered "refer", "lesion possible" or "no breast ultrasound" / all cases',
        False,
        is_share=True,
    ),
    "decided_wrongly": Metric(
        "Decided wrongly",
        "fraction",
        "cases answered benign, malignant or no lesion that are another / all that are answered so",
        False,
        is_share=True,
    ),
    "coverage_lesions": Metric(
        "Coverage of lesions", "fraction", "lesion cases in which a lesion is possible / lesion cases", is_share=True
    ),
    "coverage_normals": Metric(
        "Coverage of normals",
        "fraction",
        "cases without a lesion in which none is possible / cases without a lesion",
        is_share=True,
    ),
    "coverage_classes": Metric(
        "Coverage of classes",
        "fraction",
        "lesion cases whose class is possible / lesion cases in which a lesion is possible",
        is_share=True,
    ),
}
CLASSIFICATION = {
    "auc": Metric("AUC", "fraction", "area under the ROC curve, ties counted half"),
    "accuracy": Metric("Accuracy", "fraction", "correctly classified cases / all cases"),
    "sensitivity": Metric("Sensitivity (recall)", "fraction", "TP / (TP + FN)"),
    "specificity": Metric("Specificity", "fraction", "TN / (TN + FP)"),
    "precision": Metric("Precision (PPV)", "fraction", "TP / (TP + FP)"),
    "npv": Metric("NPV", "fraction", "negative predictive value: TN / (TN + FN)"),
    "f1": Metric("F1", "fraction", "2TP / (2TP + FP + FN)"),
    "fpr": Metric("FPR", "fraction", "FP / (FP + TN)", False),
    "balanced_accuracy": Metric("Balanced accuracy", "fraction", "mean recall of the classes that occur"),
    "mcc": Metric("MCC", "correlation", "Matthews (with three classes Gorodkin's) correlation coefficient"),
    "auc_macro_ovr": Metric("AUC, macro one-vs-rest", "fraction", "mean over the classes of each one's AUC"),
    "average_precision": Metric("Average precision", "fraction", "precision summed over the steps of recall"),
    "brier": Metric("Brier score", "fraction", "mean squared difference of probability and outcome", False),
    "ece_equal_width_15": Metric(
        "ECE, 15 bins of equal width",
        "fraction",
        "expected calibration error: mean |probability - observed fraction| over the bins",
        False,
    ),
    "ece_equal_mass_10": Metric(
        "ECE, 10 bins of equal mass",
        "fraction",
        "expected calibration error: mean |probability - observed fraction| over the bins",
        False,
    ),
}
CALIBRATION = ("brier", "ece_equal_width_15", "ece_equal_mass_10")
"""The class metrics that every case counts in, whatever its class."""

CATALOGUES = {
    "segmentation": SEGMENTATION | DETECTION,
    "classification": CLASSIFICATION,
    "consistency": CONSISTENCY,
    "lesion_detection": LESION_DETECTION,
}
"""The metrics of each part of `metrics.json`."""
