"""`report.html` of an evaluation: figures with their intervals, plots, the cases to look at, and every case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bustle.core.config import to_mapping
from bustle.core.recipe import Protocol
from bustle.core.tracks import Tracks
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import has_class_result
from bustle.evaluation.figures import ClassFigures, DetectionFigures, Estimate, MaskFigures, estimates_of
from bustle.evaluation.metrics import ANSWERS, CATALOGUES, DETECTION, LESION_DETECTION, SEGMENTATION, Metric
from bustle.evaluation.reliability import SENSITIVITIES, ProbabilityFigures, Reliability
from bustle.evaluation.results import TrackFigures, TrackResult, TrackScores
from bustle.evaluation.summary import EMPTY_POLICIES
from bustle.report.appendix import Partition, appendix
from bustle.report.case_listing import listed_cases
from bustle.report.explanations import ReportedExplanations, explanations_content
from bustle.report.gallery import ShownCase, as_jpeg_uri
from bustle.report.page import write_page
from bustle.report.page_plots import Plot, can_draw_plots
from bustle.report.wording import number


@dataclass(frozen=True, kw_only=True)
class ReportedTracks:
    """What a page is made of: both tracks' results and protocols, and rows and pictures of the main track's cases.

    `trained_on` says in a sentence what taught the model. `explanations` is the check of the model's explanation
    maps, where it was asked for, `reliability` that of the main track's probabilities. `overlays` are pictures of
    cases by their ids, as addresses relative to the page, which are loaded when they are asked for.
    """

    results: Tracks[TrackResult]
    protocols: Tracks[Protocol]
    rows: Sequence[CaseRow]
    classes: Sequence[str]
    pictures: Mapping[str, Sequence[ShownCase]]
    trained_on: str
    explanations: ReportedExplanations | None = None
    reliability: Reliability | None = None
    overlays: Mapping[str, str] = field(default_factory=dict)


ANSWERED = {
    "segmentation": ("dice", "missed_lesions", "fp_rate_on_normals"),
    "classification": ("auc", "brier", "ece_equal_mass_10"),
    "consistency": ("normal_but_drawn", "lesion_but_not_drawn"),
}
"""What an answer can change: of each part of `metrics.json` these figures are shown of both."""


class MetricLine(NamedTuple):
    """One line of a table of metrics: the chosen track's entry and, where it exists, the other track's."""

    metric: Metric
    main: Estimate
    other: Estimate | None


class Card(NamedTuple):
    title: str
    entry: Estimate
    remark: str


class CaptionedCase(NamedTuple):
    """`uris` has one picture of an image; of a volume its cuts and, where there are any, its surfaces.

    `place` is its name in links, `maps` are the pictures of the network's own maps by their titles.
    """

    place: str
    title: str
    caption: str
    uris: tuple[str, ...]
    wide: bool
    maps: Mapping[str, str]


def write_evaluation_page(path: Path, reported: ReportedTracks) -> None:
    write_page(path, "evaluation.html", **page_content(reported))


def page_content(reported: ReportedTracks, *, partition: Partition | None = None) -> dict[str, Any]:
    """What the template `evaluation.html`, and every page that extends it, needs; `partition` as in `appendix`."""
    results = reported.results
    metrics, companion = results.main, results.companion
    detected = next((track for track in results.each if track.lesion_detection is not None), None)
    found = None if detected is None else detected.lesion_detection
    galleries = _galleries(reported)
    return {
        "metrics": metrics,
        "model": to_mapping(metrics.model),
        "protocol": reported.protocols.main,
        "companion": companion,
        "companion_protocol": reported.protocols.companion,
        "trained_on": reported.trained_on,
        "policies": EMPTY_POLICIES,
        "cards": headline_cards(metrics),
        "segmentation": _lines(results, "segmentation"),
        "classification": _lines(results, "classification"),
        "consistency": _lines(results, "consistency"),
        "answers": next(filter(None, map(answer_lines, results.each)), None),
        "explained": explanations_content(reported.explanations),
        "detected": detected,
        "detection": None if found is None else _detection_lines(found),
        "subsets": _subsets(metrics),
        "probabilities": _probabilities(reported.reliability),
        "coverage": () if reported.reliability is None else reported.reliability.coverage,
        "sensitivities": SENSITIVITIES,
        "plots": [
            *_plots(metrics, reported.rows, reported.classes, detected=detected),
            *_decision_curve(reported.reliability),
        ],
        "galleries": galleries,
        "appendix": appendix(reported, partition=partition),
        "listed": listed_cases(
            reported.rows, classes=reported.classes, overlays=reported.overlays, pictured=_first_places(galleries)
        ),
    }


def headline_cards(figures: TrackFigures) -> list[Card]:
    """The few figures that stand on top of the page."""
    cards = []
    masks, classes, lesions = figures.segmentation, figures.classification, figures.lesion_detection
    if masks:
        distance = figures.headline_distance
        physical = masks[f"{distance}_mm"].n and masks[f"{distance}_mm"].n == masks[f"{distance}_px"].n
        distance += "_mm" if physical else "_px"
        overlap = "dice" if masks["dice"].n else "box_iou"
        for name in (overlap, distance, "missed_lesions", "fp_rate_on_normals"):
            if masks[name].n:
                cards.append(Card((SEGMENTATION | DETECTION)[name].title, masks[name], _remark(masks[name])))
    if lesions:
        for name in ("lesion_sensitivity", "false_positives_per_case"):
            entry = lesions.estimates[name]
            cards.append(Card(LESION_DETECTION[name].title, entry, _remark(entry)))
    if classes:
        of = f"{classes.positive_class} positive" if classes.average == "binary" else "averaged over classes"
        for name in ("auc", "sensitivity", "specificity"):
            title = name.capitalize() if name != "auc" else "AUC"
            entry = classes.estimates[name]
            cards.append(Card(title, entry, f"{of}, n = {entry.n}"))
    return cards


def _remark(entry: Estimate) -> str:
    return f"n = {entry.n}" + (f", {entry.n_undefined} undefined" if entry.n_undefined else "")


def _lines(results: Tracks[TrackResult], part: str) -> list[MetricLine] | None:
    """Metrics with a value in either track; None for a part that was not scored."""
    main = estimates_of(results.main, part)
    if main is None:
        return None
    other = None if results.companion is None else estimates_of(results.companion, part)
    lines = [
        MetricLine(metric, main[name], None if other is None else other[name])
        for name, metric in CATALOGUES[part].items()
    ]
    return [line for line in lines if line.main.n or (line.other and line.other.n)]


def answer_lines(track: TrackFigures) -> list[MetricLine] | None:
    """The answers' figures, as `other` the network's own; None of a track without answers."""
    answers = track.answers
    if answers is None:
        return None
    lines = []
    for part, names in ANSWERED.items():
        answered = estimates_of(answers, part)
        own = estimates_of(track, part) if hasattr(track, part) else None  # released figures lack the last part
        if answered is not None:
            lines += [
                MetricLine(CATALOGUES[part][name], answered[name], own[name] if own else None) for name in names
            ]
    lines += [MetricLine(metric, answers.estimates[name], None) for name, metric in ANSWERS.items()]
    return [line for line in lines if line.main.n]


def _detection_lines(detection: DetectionFigures) -> list[MetricLine]:
    """Of lesions as such, which only candidates with scores allow."""
    lines = [MetricLine(metric, detection.estimates[name], None) for name, metric in LESION_DETECTION.items()]
    by_size = detection.by_size
    for entry, limit in ((by_size.small, "up to"), (by_size.large, "above")):
        if entry is not None:
            title = f"Lesions found, {limit} {by_size.border:g} mm³"
            formula = "the same as of all lesions, at the working threshold"
            lines.append(MetricLine(Metric(title, entry.unit, formula), entry, None))
    return lines


def _subsets(scores: TrackScores) -> dict[str, list[tuple[str, MaskFigures]]]:
    """Tables by source, class and lesion size; a table with a single row says nothing new and is left out."""
    tables: dict[str, list[tuple[str, MaskFigures]]] = {
        "By data source": list(scores.by_source.items()),
        "By class": list(scores.by_label.items()),
    }
    if scores.by_size is not None:
        borders, unit = scores.by_size.borders, scores.by_size.unit
        limits = [*(f" (≤ {number(border, unit)} {unit})" for border in borders), ""]
        title = "By lesion size" + (" (thirds of the true areas)" if len(borders) > 1 else "")
        strata = scores.by_size.strata.items()
        tables[title] = [(name + limit, part) for (name, part), limit in zip(strata, limits, strict=True)]
    return {title: parts for title, parts in tables.items() if len(parts) > 1}


def _plots(
    scores: TrackScores, rows: Sequence[CaseRow], classes: Sequence[str], *, detected: TrackScores | None
) -> list[Plot]:
    if not can_draw_plots():
        return []
    from bustle.report import plots

    found = []
    if scores.segmentation and scores.segmentation["dice"].n:
        found.append(Plot("Dice of every case", plots.as_svg_uri(plots.dice_figure(rows))))
        if scores.by_size is not None:
            figure = plots.size_figure(rows, strata=scores.by_size)
            found.append(Plot("Dice by lesion size", plots.as_svg_uri(figure)))
            figure = plots.size_histogram_figure(rows, strata=scores.by_size)
            found.append(Plot("Lesion sizes", plots.as_svg_uri(figure)))
    if detected is not None and detected.lesion_detection is not None:
        figure = plots.froc_figure(detected.lesion_detection)
        found.append(Plot(f"FROC curve ({detected.track})", plots.as_svg_uri(figure)))
    if scores.classification is not None:
        figure = plots.confusion_figure(scores.classification.confusion, classes=scores.classification.classes)
        found.append(Plot("Confusion matrix", plots.as_svg_uri(figure)))
        found += _probability_plots(scores.classification, [row for row in rows if has_class_result(row, classes)])
    return found


def _probability_plots(found: ClassFigures, rows: Sequence[CaseRow]) -> list[Plot]:
    from bustle.report import plots

    name = found.positive_class
    positive = np.array([row.label == name for row in rows])
    score = np.array([row.probability(name) for row in rows], np.float64)
    average = found.estimates["average_precision"].mean
    error = found.estimates["ece_equal_mass_10"].mean
    area = found.per_class[name].auc
    if average is None or error is None or area is None:  # one class only
        return []
    figures = {
        "ROC curve": plots.roc_figure(positive, score, name=name, area=area),
        "Precision and recall": plots.precision_recall_figure(positive, score, name=name, average_precision=average),
        "Calibration": plots.calibration_figure(positive, score, name=name, error=error),
    }
    return [Plot(title, plots.as_svg_uri(figure)) for title, figure in figures.items()]


def _probabilities(reliability: Reliability | None) -> list[tuple[str, ProbabilityFigures]]:
    if reliability is None:
        return []
    named = (("the network", reliability.network), ("the answers", reliability.answers))
    return [(name, found) for name, found in named if found is not None]


def _decision_curve(reliability: Reliability | None) -> list[Plot]:
    found = {name: figures.decision_curve for name, figures in _probabilities(reliability)}
    if not found or not can_draw_plots():
        return []
    from bustle.report import plots

    return [Plot("Decision curve (net benefit)", plots.as_svg_uri(plots.decision_curve_figure(found)))]


def _galleries(reported: ReportedTracks) -> dict[str, list[CaptionedCase]]:
    return {
        title: [_captioned(shown, place=f"picture-{section}-{number}") for number, shown in enumerate(chosen)]
        for section, (title, chosen) in enumerate(reported.pictures.items())
    }


def _first_places(galleries: Mapping[str, Sequence[CaptionedCase]]) -> dict[str, str]:
    """By case id the place of the first picture of it."""
    places: dict[str, str] = {}
    for shown in (each for chosen in galleries.values() for each in chosen):
        places.setdefault(shown.title, shown.place)
    return places


def _captioned(shown: ShownCase, *, place: str) -> CaptionedCase:
    row = shown.row
    words = []
    if row.dice is not None:
        words.append(f"Dice {row.dice:.3f}")
    if row.truth_empty and row.false_positive_area:
        words.append(f"{row.false_positive_area:,} {shown.unit} drawn")
    if row.label:
        words.append(f"truth {row.label}")
    if row.decision:
        probability = row.probability(row.decision)
        words.append(f"says {row.decision}" + ("" if probability is None else f" {probability:.2f}"))
    uris = tuple(as_jpeg_uri(canvas) for canvas in shown.drawn())
    return CaptionedCase(place, row.case_id, ", ".join(words), uris, shown.wide, shown.maps)
