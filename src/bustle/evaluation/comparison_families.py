"""The differences of all runs as a comparison lists them: in families, with the test that leads and Holm's p."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bustle.core.recipe import Protocol
from bustle.evaluation.comparison import Differences
from bustle.evaluation.comparison_results import (
    ComparedMetric,
    MetricComparison,
    MetricDifference,
    MetricTests,
    TestName,
)
from bustle.evaluation.multiplicity import holm

MAIN_CLASSES = ("auc", "accuracy", "sensitivity", "specificity")
MAIN_LESIONS = ("lesion_sensitivity", "false_positives_per_case", "cpm")


@dataclass(frozen=True, kw_only=True)
class RunDifferences:
    """All differences of one run from the reference; a part that was not compared is empty."""

    run: str
    masks: Differences
    classes: Differences
    lesions: Differences


def listed_comparisons(runs: Sequence[RunDifferences], *, protocol: Protocol) -> tuple[MetricComparison, ...]:
    """All metrics of all runs in order; p is corrected over all runs and metrics of a family together."""
    named = [pair for run in runs for pair in _named(run, protocol)]
    tests: list[TestName] = [leading_test(difference.tests, spread=protocol.spread) for _, difference in named]
    p_values = [difference.tests.p_values()[test] for (_, difference), test in zip(named, tests, strict=True)]
    members: dict[str, list[int]] = defaultdict(list)
    for place, (metric, _) in enumerate(named):
        members[metric.family].append(place)
    corrected = {}
    for places in members.values():
        corrected |= dict(zip(places, holm([p_values[place] for place in places]), strict=True))
    tested = {family: sum(p_values[place] is not None for place in places) for family, places in members.items()}
    return tuple(
        MetricComparison(
            **vars(metric),
            **vars(difference),
            test=tests[place],
            p=p_values[place],
            p_holm=corrected[place],
            n_family=tested[metric.family],
        )
        for place, (metric, difference) in enumerate(named)
    )


def leading_test(tests: MetricTests, *, spread: str) -> TestName:
    """The test whose p is reported: that of a paper which tests repeats (`t95`), else the one made for the metric."""
    if spread == "t95" and tests.pooled_t is not None:
        return "pooled_t"
    if tests.paired_t is not None:
        return "paired_t"
    return "bootstrap" if tests.delong is None else "delong"


def main_masks(found: Differences, protocol: Protocol) -> tuple[str, ...]:
    """The mask metrics that lead: a distance in mm where it is known for as many cases as in px."""
    distances = []
    for name in (protocol.hd95, "asd"):
        in_mm, in_px = found.get(f"{name}_mm"), found.get(f"{name}_px")
        physical = in_mm is not None and (in_px is None or in_mm.n == in_px.n)
        distances.append(f"{name}_{'mm' if physical else 'px'}")
    return ("dice", "iou", "box_iou", *distances, "missed_lesions", "fp_rate_on_normals")


def _named(run: RunDifferences, protocol: Protocol) -> Iterator[tuple[ComparedMetric, MetricDifference]]:
    for part, family, found, main in (
        ("segmentation", "masks", run.masks, main_masks(run.masks, protocol)),
        ("classification", "classes", run.classes, MAIN_CLASSES),
        ("lesion_detection", "lesions", run.lesions, MAIN_LESIONS),
    ):
        for name, difference in found.items():
            own = family if name in main else f"further {family}"
            yield ComparedMetric(run=run.run, part=part, metric=name, family=own), difference
