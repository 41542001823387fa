"""The catalogue of metrics and its documentation agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.evaluation.metrics import (
    ANSWERS,
    CLASSIFICATION,
    CONSISTENCY,
    DETECTION,
    EXPLANATIONS,
    LESION_DETECTION,
    SEGMENTATION,
)
from bustle.evaluation.segmentation import metric_names

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def test_the_catalogue_names_what_is_computed():
    assert set(SEGMENTATION) == {*metric_names(), "box_iou", "box_dice"}


@pytest.mark.parametrize(
    ("catalogue", "heading"),
    [
        (SEGMENTATION | DETECTION, "## Masks"),
        (CLASSIFICATION, "## Classes"),
        (CONSISTENCY, "## Do class and outline agree?"),
        (ANSWERS, "## Answers"),
        (EXPLANATIONS, "## Explanation maps"),
        (LESION_DETECTION, "## Lesions found"),
    ],
)
def test_every_metric_is_documented_with_its_direction(catalogue, heading):
    section = PAGE.read_text(encoding="utf-8").split(heading + "\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    documented = {
        name: line for line in rows for name in line.split("|")[1].replace("`", "").replace(",", " ").split()
    }
    assert set(documented) == set(catalogue)
    for name, metric in catalogue.items():
        assert documented[name].endswith(f"| {'higher' if metric.higher_is_better else 'lower'} |")
        if "| unit |" in section:
            assert metric.unit in documented[name]
