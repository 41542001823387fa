"""The pixels of the few cases that a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bustle.core.types import Case
from bustle.experiments.scored_pairs import PredictionIndex, read_pair
from bustle.report.gallery import GalleryPicture, gallery_choice


def gallery_pictures(
    rows: Sequence[Mapping[str, Any]],
    *,
    cases: Mapping[str, Case],
    index_of: Mapping[str, PredictionIndex],
    classes: Sequence[str],
) -> dict[str, list[GalleryPicture]]:
    """Choose by the rows and decode again; `index_of` says by case id where the scored prediction is."""
    pictures: dict[str, list[GalleryPicture]] = {}
    for section, chosen in gallery_choice(rows, classes=classes).items():
        pictures[section] = []
        for row in chosen:
            pair = read_pair(cases[row["case_id"]], index=index_of[row["case_id"]])
            truth, predicted = pair.on_grid("native", group_id=None)
            pictures[section].append(
                GalleryPicture(row=row, image=pair.sample.image, truth=truth.mask, prediction=predicted.mask)
            )
    return pictures
