"""The gallery draws images and volumes each in their own way."""

from __future__ import annotations

import functools

import numpy as np

from bustle.core.types import Case, Geometry, Sample
from bustle.evaluation.case_table import CaseRow
from bustle.experiments import gallery_pictures as module
from bustle.experiments.gallery_pictures import gallery_pictures, overlay_links
from bustle.experiments.scored_pairs import Pair, PredictionIndex
from bustle.inference.stored_prediction import StoredImageMask, StoredPrediction, StoredVolumeMask
from bustle.report.gallery import WORST, ShownImage, ShownVolume

CLASSES = ("benign", "malignant")


def load(shape, spacing):
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(3, 7) for _ in shape)] = 1
    image = np.full((1, *shape), 80, np.uint8)
    return Sample("made/1", "made", image, Geometry(shape, spacing=spacing), lesion_mask=mask)


def shown(monkeypatch, shape, spacing):
    case = Case(case_id="made/1", source="made", load=functools.partial(load, shape, spacing), has_mask=True)
    sample = case.load()
    mask = np.roll(sample.lesion_mask, 1, axis=-1)
    drawn = StoredImageMask(mask > 0) if mask.ndim == 2 else StoredVolumeMask(mask)
    pair = Pair(case, sample, StoredPrediction(drawn))
    monkeypatch.setattr(module, "read_pair", lambda case, index: pair)
    row = CaseRow(case_id="made/1", group_id="made/1", source="made", dice=0.5, truth_empty=False)
    (picture,) = gallery_pictures([row], cases={"made/1": case}, index_of={"made/1": None}, classes=CLASSES)[WORST]
    return picture


def test_an_image_keeps_its_pixels(monkeypatch):
    picture = shown(monkeypatch, (16, 20), (0.1, 0.1))
    assert isinstance(picture, ShownImage)
    assert picture.image.shape == (1, 16, 20)


def test_a_volume_is_drawn_at_once(monkeypatch):
    picture = shown(monkeypatch, (10, 16, 12), (0.5, 0.1, 0.2))
    assert isinstance(picture, ShownVolume)
    assert picture.cuts.shape[0] == picture.surface.shape[0] == 3


def test_pictures_beside_predictions_are_linked_where_they_move_with_the_page(tmp_path):
    page, ours, theirs = tmp_path / "out" / "report.html", tmp_path / "out" / "predictions", tmp_path / "elsewhere"
    paths = {"made/a b": ours / "made" / "a b", "made/none": ours / "made" / "none", "made/foreign": theirs}
    for folder in paths.values():
        folder.mkdir(parents=True)
    for name in ("made/a b", "made/foreign"):
        (paths[name] / "overlay.png").touch()
    index = PredictionIndex(directory=ours, paths=paths, class_probabilities={}, warnings=())
    found = overlay_links(dict.fromkeys([*paths, "made/unpredicted"], index), page=page)
    assert found == {"made/a b": "predictions/made/a%20b/overlay.png"}
