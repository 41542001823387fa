"""From the rows of `cases.csv` to `metrics.json`, and from several folds' metrics to mean ± spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bustle.core.recipe import Protocol
from bustle.evaluation.case_table import CaseRow
from bustle.evaluation.class_summary import summarise_classes
from bustle.evaluation.consistency import summarise_consistency
from bustle.evaluation.metrics import CATALOGUES, DETECTION, SEGMENTATION
from bustle.evaluation.statistics import cluster_weights, mean_over_cases, t95_half_width, weighted_means
from bustle.evaluation.strata import size_strata

FloatArray = NDArray[np.float64]

NOTHING_SCORED: Mapping[str, Any] = {
    "n_cases": 0,
    "segmentation": None,
    "classification": None,
    "consistency": None,
}
EMPTY_POLICIES = {
    "strict": "lesion present and nothing drawn: Dice 0, distance = image diagonal; "
    "no lesion: left out here, counted in the false positives on normals",
    "undefined": "both empty: Dice 1, distance 0; one empty: Dice 0, distance undefined and left out",
    "zero_distance": "both empty: Dice 1, distance 0; one empty: Dice 0, distance 0",
}


def summarise(
    rows: Sequence[CaseRow],
    *,
    protocol: Protocol,
    classes: Sequence[str],
    track: str,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """The content of `metrics.json`: every metric with SD over cases and clustered 95 % interval.

    `rows` as made by `score_case`. A part without any scored case is None, never a made-up number.
    """
    groups = [row.group_id for row in rows]
    summary: dict[str, Any] = {
        "track": track,
        "protocol": protocol.id,
        "resolution": protocol.resolution,
        "empty_policy": protocol.empty_masks,
        "headline_distance": protocol.hd95,
        "n_cases": len(rows),
        "n_groups": len(set(groups)),
        "bootstrap": {"method": "percentile, whole groups resampled", "resamples": resamples, "seed": seed},
    }
    arguments = {"protocol": protocol, "classes": classes, "resamples": resamples, "seed": seed}
    whole = summarise_parts(rows, **arguments)
    summary |= whole
    sources = sorted({row.source for row in rows})
    summary["by_source"] = {
        source: whole
        if len(sources) == 1
        else summarise_parts([row for row in rows if row.source == source], **arguments)
        for source in sources
    }
    labels = {row.label for row in rows}
    summary["by_label"] = {
        label: _masks_of_label(
            [row for row in rows if row.label == label], protocol=protocol, resamples=resamples, seed=seed
        )
        for label in dict.fromkeys((*classes, "normal"))
        if label in labels
    }
    strata = size_strata(rows)
    summary["by_size"] = None
    if strata is not None:
        summary["by_size"] = {
            "unit": strata.unit,
            "borders": list(strata.borders),
            "strata": {
                name: summarise_parts([row for row in rows if strata.stratum(row) == name], **arguments)
                for name in strata.names
            },
        }
    return summary


def summarise_parts(
    rows: Sequence[CaseRow], *, protocol: Protocol, classes: Sequence[str], resamples: int, seed: int
) -> dict[str, Any]:
    """`segmentation`, `classification` and `consistency` of one set of cases, from the same resamples."""
    if not rows:
        return dict(NOTHING_SCORED)
    weights = cluster_weights([row.group_id for row in rows], resamples=resamples, seed=seed)
    return {
        "n_cases": len(rows),
        "segmentation": _summarise_masks(rows, weights=weights, protocol=protocol),
        "classification": summarise_classes(rows, weights=weights, protocol=protocol, classes=classes),
        "consistency": summarise_consistency(rows, weights=weights, classes=classes),
    }


def _masks_of_label(rows: Sequence[CaseRow], *, protocol: Protocol, resamples: int, seed: int) -> dict[str, Any]:
    """Only `segmentation`: class metrics of a single class say nothing."""
    weights = cluster_weights([row.group_id for row in rows], resamples=resamples, seed=seed)
    return {"n_cases": len(rows), "segmentation": _summarise_masks(rows, weights=weights, protocol=protocol)}


def _summarise_masks(rows: Sequence[CaseRow], *, weights: FloatArray, protocol: Protocol) -> dict[str, Any] | None:
    scored = [row for row in rows if row.truth_empty is not None and row.prediction_empty is not None]
    if not scored and all(row.box_iou is None for row in rows):
        return None
    table = mask_values(rows)
    resampled = weighted_means(table, weights=weights)
    summary = {}
    for column, (name, metric) in enumerate((SEGMENTATION | DETECTION).items()):
        summary[name] = mean_over_cases(table[:, column], resampled=resampled[:, column], unit=metric.unit)
        if name in SEGMENTATION:
            summary[name] |= {
                "n_undefined": _undefined(name, scored, protocol),
                "empty_policy": protocol.empty_masks,
            }
    return summary


def mask_values(rows: Sequence[CaseRow]) -> FloatArray:
    """`cases x metrics` in the order of `SEGMENTATION | DETECTION`, NaN where a case has no value."""
    return np.array([[_value(row.value(name)) for name in SEGMENTATION] + _detection(row) for row in rows])


def _value(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _detection(row: CaseRow) -> list[float]:
    """The values of `DETECTION`, each NaN where it does not concern the case."""
    if row.truth_empty is None or row.prediction_empty is None:
        return [np.nan] * 3
    if row.truth_empty:
        return [np.nan, float(not row.prediction_empty), _value(row.false_positive_area)]
    return [float(row.dice == 0), np.nan, np.nan]


def _undefined(name: str, scored: Sequence[CaseRow], protocol: Protocol) -> int:
    """Cases that the policy includes and that still have no value."""
    if name == "box_iou":
        return 0  # defined wherever there is something to compare
    eligible = [row for row in scored if not (protocol.empty_masks == "strict" and row.truth_empty)]
    if name.endswith("_mm"):
        eligible = [row for row in eligible if row.area_mm2 is not None or row.volume_mm3 is not None]
    return sum(row.value(name) is None for row in eligible)


def summarise_folds(
    fold_metrics: Sequence[Mapping[str, Any]], *, pooled: Mapping[str, Any], protocol: Protocol
) -> dict[str, Any]:
    """Mean ± spread over folds, as the papers print them, of all metrics, in all and per source.

    `fold_metrics` are results of `summarise`, `pooled` that of all folds' cases as one set. `sd` holds what the
    protocol's `spread` names: SD over folds (ddof 1 or 0) or the half width of the t interval. For `case_sd` all
    figures are those of `pooled`.
    """
    sources = sorted({source for metrics in fold_metrics for source in metrics["by_source"]})
    return {
        "folds": len(fold_metrics),
        "protocol": protocol.id,
        "spread": protocol.spread,
        **_fold_parts(fold_metrics, pooled, protocol),
        "by_source": {
            source: _fold_parts(
                [metrics["by_source"].get(source, NOTHING_SCORED) for metrics in fold_metrics],
                pooled["by_source"][source],
                protocol,
            )
            for source in sources
        },
    }


def _fold_parts(parts: Sequence[Mapping[str, Any]], pooled: Mapping[str, Any], protocol: Protocol) -> dict[str, Any]:
    over_folds: dict[str, Any] = {}
    for part, catalogue in CATALOGUES.items():
        scored = [fold.get(part) for fold in parts]  # folds scored by an earlier version lack some figures
        over_folds[part] = None
        if any(scored) and pooled.get(part):
            over_folds[part] = {
                name: _over_folds([fold and fold.get(name) for fold in scored], pooled[part][name], protocol)
                for name in catalogue
            }
    if over_folds["classification"] is not None:
        facts = ("classes", "positive_class", "average", "n", "confusion")
        over_folds["classification"] |= {key: pooled["classification"][key] for key in facts}
    return over_folds


def _over_folds(
    folds: Sequence[Mapping[str, Any] | None], pooled: Mapping[str, Any], protocol: Protocol
) -> dict[str, Any]:
    """`folds` holds one entry per fold, None for a fold without scored cases: it keeps its place in the result."""
    scored = [fold for fold in folds if fold]
    values = [fold["mean"] for fold in scored if fold["mean"] is not None]
    mean, spread, n = float(np.mean(values)) if values else None, None, sum(fold["n"] for fold in scored)
    if protocol.spread == "case_sd":
        mean, spread, n = pooled["mean"], pooled["sd"], pooled["n"]
    elif len(values) > 1 and protocol.spread == "t95":
        spread = t95_half_width(values)
    elif len(values) > 1 and protocol.spread in ("fold_sd", "fold_sd_population"):
        spread = float(np.std(values, ddof=0 if protocol.spread == "fold_sd_population" else 1))
    by_fold = [fold and fold["mean"] for fold in folds]
    return {"mean": mean, "sd": spread, "n": n, "unit": pooled["unit"], "folds": by_fold}
