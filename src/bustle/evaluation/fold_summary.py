"""From several folds' figures to mean ± spread, as the papers print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bustle.core.recipe import Protocol
from bustle.evaluation.figures import CaseFigures, Estimate, Estimates, estimates_of
from bustle.evaluation.metrics import CATALOGUES
from bustle.evaluation.results import ClassFoldFigures, FoldEstimate, FoldFigures, OverFolds, TrackScores
from bustle.evaluation.statistics import t95_half_width

Figures = CaseFigures | TrackScores


def summarise_folds(folds: Sequence[TrackScores], *, pooled: TrackScores, protocol: Protocol) -> OverFolds:
    """All metrics, in all and per source; `pooled` are the figures of all folds' cases as one set.

    `sd` holds what the protocol's `spread` names: SD over folds (ddof 1 or 0) or the half width of the t interval.
    For `case_sd` all figures are those of `pooled`.
    """
    sources = sorted({source for scores in folds for source in scores.by_source})
    whole = _over_folds(folds, pooled, protocol)
    return OverFolds(
        folds=len(folds),
        protocol=protocol.id,
        spread=protocol.spread,
        segmentation=whole.segmentation,
        classification=whole.classification,
        consistency=whole.consistency,
        lesion_detection=whole.lesion_detection,
        by_source={
            source: _over_folds(
                [scores.by_source.get(source) for scores in folds], pooled.by_source[source], protocol
            )
            for source in sources
        },
    )


def _over_folds(folds: Sequence[Figures | None], pooled: Figures, protocol: Protocol) -> FoldFigures:
    """`folds` holds None for a fold without cases of the source."""
    found: dict[str, Mapping[str, FoldEstimate] | None] = {}
    for part in CATALOGUES:
        scored = [None if fold is None else _part(fold, part) for fold in folds]
        together = _part(pooled, part)
        found[part] = None
        if any(scored) and together is not None:
            found[part] = {
                name: _spread([None if one is None else one[name] for one in scored], together[name], protocol)
                for name in CATALOGUES[part]
            }
    classes = None
    if found["classification"] is not None and pooled.classification is not None:
        classes = ClassFoldFigures(
            classes=pooled.classification.classes,
            positive_class=pooled.classification.positive_class,
            average=pooled.classification.average,
            n=pooled.classification.n,
            confusion=pooled.classification.confusion,
            estimates=found["classification"],
        )
    return FoldFigures(
        segmentation=found["segmentation"],
        classification=classes,
        consistency=found["consistency"],
        lesion_detection=found["lesion_detection"],
    )


def _part(figures: Figures, part: str) -> Estimates | None:
    """Lesions are counted over all sources together."""
    return None if part == "lesion_detection" and isinstance(figures, CaseFigures) else estimates_of(figures, part)


def _spread(folds: Sequence[Estimate | None], pooled: Estimate, protocol: Protocol) -> FoldEstimate:
    """`folds` holds one entry per fold, None for a fold without scored cases: it keeps its place in the result."""
    scored = [fold for fold in folds if fold is not None]
    values = [fold.mean for fold in scored if fold.mean is not None]
    mean, spread, n = float(np.mean(values)) if values else None, None, sum(fold.n for fold in scored)
    if protocol.spread == "case_sd":
        mean, spread, n = pooled.mean, pooled.sd, pooled.n
    elif len(values) > 1 and protocol.spread == "t95":
        spread = t95_half_width(values)
    elif len(values) > 1 and protocol.spread in ("fold_sd", "fold_sd_population"):
        spread = float(np.std(values, ddof=0 if protocol.spread == "fold_sd_population" else 1))
    by_fold = tuple(None if fold is None else fold.mean for fold in folds)
    return FoldEstimate(mean=mean, sd=spread, n=n, unit=pooled.unit, folds=by_fold)
