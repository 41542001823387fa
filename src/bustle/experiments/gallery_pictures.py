"""The pixels of the few cases that a report shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from bustle.core.explanation import CHANNEL
from bustle.core.types import Case
from bustle.drawing.volume_cuts import draw_cuts
from bustle.drawing.volume_surface import draw_surface
from bustle.evaluation.case_table import CaseRow
from bustle.experiments.scored_pairs import Pair, PredictionIndex, read_pair
from bustle.inference.prediction_files import OVERLAY, explanation_names
from bustle.io.raster import read_image
from bustle.report.gallery import (
    MAP_WIDTH,
    ShownCase,
    ShownImage,
    ShownVolume,
    as_jpeg_uri,
    gallery_choice,
    narrowed,
)


def gallery_pictures(
    rows: Sequence[CaseRow],
    *,
    cases: Mapping[str, Case],
    index_of: Mapping[str, PredictionIndex],
    classes: Sequence[str],
) -> dict[str, list[ShownCase]]:
    """Choose by the rows and decode again; `index_of` says by case id where the scored prediction is."""
    pictures: dict[str, list[ShownCase]] = {}
    for section, chosen in gallery_choice(rows, classes=classes).items():
        pictures[section] = []
        for row in chosen:
            index = index_of[row.case_id]
            pair = read_pair(cases[row.case_id], index=index)
            maps = _network_maps(pair, index=index)
            pictures[section].append(replace(shown_case(row, pair), maps=maps))
    return pictures


def overlay_links(index_of: Mapping[str, PredictionIndex], *, page: Path) -> dict[str, str]:
    """By case id the address, relative to the page, of the picture that stands beside its prediction.

    Predictions that lie elsewhere have none: the page and its folder may be moved.
    """
    found = {}
    for case_id, index in index_of.items():
        picture = index.paths.get(case_id, page) / OVERLAY
        if picture.is_relative_to(page.parent) and picture.exists():
            found[case_id] = quote(picture.relative_to(page.parent).as_posix())
    return found


def _network_maps(pair: Pair, *, index: PredictionIndex) -> dict[str, str]:
    """By their channels the pictures that stand beside the prediction, smaller."""
    found = {}
    for channel in pair.stored.channels:
        file = index.paths[pair.case.case_id] / explanation_names(CHANNEL, channel=channel).picture
        if file.exists():
            found[channel] = as_jpeg_uri(narrowed(read_image(file), width=MAP_WIDTH))
    return found


def shown_case(row: CaseRow, pair: Pair) -> ShownCase:
    """The case with both outlines; a volume is drawn at once, so that no more than one is held."""
    truth, predicted = pair.on_grid("native", group_id=None)
    image = pair.sample.image
    if image.ndim == 3:
        return ShownImage(row=row, image=image, truth=truth.mask, prediction=predicted.mask)
    masks = {"truth": truth.mask, "prediction": predicted.mask, "spacing": truth.spacing or (1.0, 1.0, 1.0)}
    return ShownVolume(row=row, cuts=draw_cuts(image[0], **masks), surface=draw_surface(**masks))
