"""`report.html` of an evaluation: figures with their intervals, plots, the cases to look at, and every case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.evaluation.metrics import CLASSIFICATION, CONSISTENCY, DETECTION, LESION_DETECTION, SEGMENTATION, Metric
from bustle.evaluation.strata import HALVES
from bustle.evaluation.summary import EMPTY_POLICIES
from bustle.report import plots
from bustle.report.gallery import GalleryPicture, VolumePicture, as_jpeg_uri, draw_contours
from bustle.report.page import write_page
from bustle.report.wording import number

Metrics = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a page is made of: the contents of the two tracks' JSON files, the rows of `cases.csv`, and pictures.

    `companion` is the other track, None where it was not scored.
    """

    metrics: Metrics
    rows: Sequence[CaseRow]
    classes: Sequence[str]
    protocol: Protocol
    pictures: Mapping[str, Sequence[GalleryPicture | VolumePicture]]
    companion: Metrics | None = None
    companion_protocol: Protocol | None = None


class MetricLine(NamedTuple):
    """One line of a table of metrics: the chosen track's entry and, where it exists, the other track's."""

    metric: Metric
    main: Mapping[str, Any]
    other: Mapping[str, Any] | None


class Card(NamedTuple):
    title: str
    entry: Mapping[str, Any]
    remark: str


class Plot(NamedTuple):
    title: str
    uri: str


class Picture(NamedTuple):
    """`uris` has one picture of an image; of a volume its cuts and, where there are any, its surfaces."""

    title: str
    caption: str
    uris: tuple[str, ...]
    wide: bool


def write_evaluation_page(path: Path, results: Results) -> None:
    write_page(path, "evaluation.html", **page_content(results))


def page_content(results: Results) -> dict[str, Any]:
    """What the template `evaluation.html`, and every page that extends it, needs."""
    metrics, companion = results.metrics, results.companion
    detected = next((track for track in (metrics, companion) if track and track.get("lesion_detection")), None)
    return {
        "metrics": metrics,
        "protocol": results.protocol,
        "companion": companion,
        "companion_protocol": results.companion_protocol,
        "policies": EMPTY_POLICIES,
        "cards": headline_cards(metrics),
        "segmentation": _lines(SEGMENTATION | DETECTION, metrics, companion, "segmentation"),
        "classification": _lines(CLASSIFICATION, metrics, companion, "classification"),
        "consistency": _lines(CONSISTENCY, metrics, companion, "consistency"),
        "detected": detected,
        "detection": None if detected is None else _detection_lines(detected["lesion_detection"]),
        "subsets": _subsets(metrics),
        "plots": _plots(metrics, results.rows, results.classes, detected=detected),
        "galleries": {section: [_picture(shown) for shown in chosen] for section, chosen in results.pictures.items()},
        "rows": results.rows,
        "classes": results.classes,
    }


def headline_cards(metrics: Metrics) -> list[Card]:
    """The few figures that stand on top of the page."""
    cards = []
    masks, classes, lesions = metrics["segmentation"], metrics["classification"], metrics.get("lesion_detection")
    if masks:
        distance = metrics["headline_distance"]
        physical = masks[f"{distance}_mm"]["n"] and masks[f"{distance}_mm"]["n"] == masks[f"{distance}_px"]["n"]
        distance += "_mm" if physical else "_px"
        overlap = "dice" if masks["dice"]["n"] else "box_iou"
        for name in (overlap, distance, "missed_lesions", "fp_rate_on_normals"):
            if masks[name]["n"]:
                cards.append(Card((SEGMENTATION | DETECTION)[name].title, masks[name], _remark(masks[name])))
    if lesions:
        for name in ("lesion_sensitivity", "false_positives_per_case"):
            cards.append(Card(LESION_DETECTION[name].title, lesions[name], _remark(lesions[name])))
    if classes:
        of = f"{classes['positive_class']} positive" if classes["average"] == "binary" else "averaged over classes"
        for name in ("auc", "sensitivity", "specificity"):
            title = name.capitalize() if name != "auc" else "AUC"
            cards.append(Card(title, classes[name], f"{of}, n = {classes[name]['n']}"))
    return cards


def _remark(entry: Mapping[str, Any]) -> str:
    undefined = entry.get("n_undefined")
    return f"n = {entry['n']}" + (f", {undefined} undefined" if undefined else "")


def _lines(
    catalogue: Mapping[str, Metric], metrics: Metrics, companion: Metrics | None, part: str
) -> list[MetricLine] | None:
    """Metrics with a value in either track; None for a part that was not scored."""
    if metrics[part] is None:
        return None
    beside = companion[part] if companion else None
    lines = [
        MetricLine(metric, metrics[part][name], beside[name] if beside else None)
        for name, metric in catalogue.items()
    ]
    return [line for line in lines if line.main["n"] or (line.other and line.other["n"])]


def _detection_lines(detection: Metrics) -> list[MetricLine]:
    """Of lesions as such, which only candidates with scores allow."""
    lines = [MetricLine(metric, detection[name], None) for name, metric in LESION_DETECTION.items()]
    for stratum, limit in zip(HALVES, ("up to", "above"), strict=True):
        entry = detection["by_size"][stratum]
        if entry is not None:
            title = f"Lesions found, {limit} {detection['by_size']['border']:g} mm³"
            formula = "the same as of all lesions, at the working threshold"
            lines.append(MetricLine(Metric(title, entry["unit"], formula), entry, None))
    return lines


def _subsets(metrics: Metrics) -> dict[str, list[tuple[str, Metrics]]]:
    """Tables by source, class and lesion size; a table with a single row says nothing new and is left out."""
    tables: dict[str, list[tuple[str, Metrics]]] = {
        "By data source": list(metrics["by_source"].items()),
        "By class": list(metrics["by_label"].items()),
    }
    by_size = metrics["by_size"]
    if by_size:
        borders, unit = by_size["borders"], by_size["unit"]
        limits = [*(f" (≤ {number(border, unit)} {unit})" for border in borders), ""]
        title = "By lesion size" + (" (thirds of the true areas)" if len(borders) > 1 else "")
        strata = by_size["strata"].items()
        tables[title] = [(name + limit, part) for (name, part), limit in zip(strata, limits, strict=True)]
    return {title: parts for title, parts in tables.items() if len(parts) > 1}


def _plots(
    metrics: Metrics, rows: Sequence[CaseRow], classes: Sequence[str], *, detected: Metrics | None
) -> list[Plot]:
    found = []
    if metrics["segmentation"] and metrics["segmentation"]["dice"]["n"]:
        found.append(Plot("Dice of every case", plots.as_svg_uri(plots.dice_figure(rows))))
        if metrics["by_size"]:
            figure = plots.size_figure(rows, strata=metrics["by_size"])
            found.append(Plot("Dice by lesion size", plots.as_svg_uri(figure)))
    if detected is not None:
        figure = plots.froc_figure(detected["lesion_detection"])
        found.append(Plot(f"FROC curve ({detected['track']})", plots.as_svg_uri(figure)))
    summary = metrics["classification"]
    if summary:
        figure = plots.confusion_figure(summary["confusion"], classes=summary["classes"])
        found.append(Plot("Confusion matrix", plots.as_svg_uri(figure)))
        found += _probability_plots(summary, [row for row in rows if has_class_result(row, classes)])
    return found


def _probability_plots(summary: Metrics, rows: Sequence[CaseRow]) -> list[Plot]:
    name = summary["positive_class"]
    positive = np.array([row.label == name for row in rows])
    score = np.array([row.probability(name) for row in rows], np.float64)
    if positive.all() or not positive.any():
        return []
    average = summary["average_precision"]["mean"]
    error = summary["ece_equal_mass_10"]["mean"]
    area = summary["per_class"][name]["auc"]
    figures = {
        "ROC curve": plots.roc_figure(positive, score, name=name, area=area),
        "Precision and recall": plots.precision_recall_figure(positive, score, name=name, average_precision=average),
        "Calibration": plots.calibration_figure(positive, score, name=name, error=error),
    }
    return [Plot(title, plots.as_svg_uri(figure)) for title, figure in figures.items()]


def _picture(shown: GalleryPicture | VolumePicture) -> Picture:
    row = shown.row
    words = []
    if row.dice is not None:
        words.append(f"Dice {row.dice:.3f}")
    if row.truth_empty and row.false_positive_area:
        words.append(f"{row.false_positive_area:,} {'voxels' if isinstance(shown, VolumePicture) else 'px'} drawn")
    if row.label:
        words.append(f"truth {row.label}")
    if row.decision:
        probability = row.probability(row.decision)
        words.append(f"says {row.decision}" + ("" if probability is None else f" {probability:.2f}"))
    if isinstance(shown, VolumePicture):
        drawn = [picture.transpose(1, 2, 0) for picture in (shown.cuts, shown.surface) if picture is not None]
    else:
        drawn = [draw_contours(shown)]
    uris = tuple(as_jpeg_uri(canvas) for canvas in drawn)
    return Picture(row.case_id, ", ".join(words), uris, isinstance(shown, VolumePicture))
