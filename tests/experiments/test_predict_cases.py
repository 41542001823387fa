from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.errors import InputError
from bustle.core.types import Case, Geometry, ImageMapping, ImageSegmentation, Prediction, Sample
from bustle.drawing.outlines import TRUTH
from bustle.experiments.predict import predict_cases, predict_files
from bustle.inference.inputs import InputImage
from bustle.inference.prediction_files import read_prediction
from bustle.inference.predictor import Item
from bustle.io.raster import write_png

LABELS = {"benign": 0.75, "malignant": 0.25}

RAMP = np.tile(np.arange(80, dtype=np.uint8), (60, 1))


class Everywhere:
    """Stands for a Predictor: everything is lesion; remembers the spacing that it was given."""

    def __init__(self) -> None:
        self.spacings: list[tuple[float, ...] | None] = []

    def check(self, geometry: Geometry, *, centre: tuple[float, ...] | None) -> None:
        """It takes anything."""

    def predict_many(self, items: Iterable[Item], *, batch_size: int) -> Iterator[Prediction]:
        for item in items:
            self.spacings.append(item.geometry.spacing)
            size = item.geometry.original_size
            mask = np.ones(size, bool)
            mapping = ImageMapping(size, (0, 0), size)
            drawn = ImageSegmentation(mask.astype(np.float32), mask, mask, lesions=())
            yield Prediction(item.case_id, item.geometry, mapping, drawn, LABELS, "benign", MADE_MODEL)


def load_sample(case_id: str) -> Sample:
    if case_id.endswith("broken"):
        raise InputError("is damaged", remedy="restore it", path=f"{case_id}.png")
    image = np.full((1, 60, 80), 50, np.uint8)
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 20:60] = 1
    return Sample(case_id, "site", image, Geometry(original_size=(60, 80), spacing=(0.1, 0.1)), lesion_mask=truth)


def case(case_id: str) -> Case:
    return Case(case_id=case_id, source="site", load=functools.partial(load_sample, case_id))


def test_cases_go_to_folders_of_their_ids_and_broken_ones_are_collected(tmp_path: Path):
    predictor, heard = Everywhere(), []
    cases = [case("site/a"), case("site/broken"), case("site/b")]
    done = predict_cases(predictor, cases, tmp_path, on_failure=heard.append)  # type: ignore[arg-type]
    assert [image.name for image in done.predicted] == ["site/a", "site/b"]
    assert " 0.75" in done.predicted[0].finding
    ((name, error),) = done.failures
    assert name == "site/broken"
    assert heard == [error]
    assert read_prediction(tmp_path / "site" / "b").class_probabilities == LABELS
    assert predictor.spacings == [(0.1, 0.1), (0.1, 0.1)]
    assert not (tmp_path / "site" / "broken").exists()
    overlay = cv2.imread(str(tmp_path / "site" / "a" / "overlay.png"))[..., ::-1]
    assert tuple(overlay[20, 30]) == TRUTH
    assert tuple(overlay[39, 30]) == TRUTH


def test_a_bad_case_id_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(InputError, match="cannot name a folder"):
        predict_cases(Everywhere(), [case("site/a"), case("../b")], tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_ends_the_work(tmp_path: Path):
    write_png(tmp_path / "a.png", RAMP)
    (tmp_path / "out").write_text("a file")
    images = [InputImage(tmp_path / "a.png", "a")]
    with pytest.raises(InputError, match="a file is in the way"):
        predict_files(Everywhere(), images, tmp_path / "out")  # type: ignore[arg-type]


def test_further_pictures_of_a_file_are_told_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    pages = [RAMP + value for value in (0, 10, 20)]
    cv2.imwritemulti(str(tmp_path / "pages.tif"), pages)
    write_png(tmp_path / "one.png", pages[0])
    images = [InputImage(tmp_path / name, name) for name in ("pages.tif", "one.png")]
    predict_files(Everywhere(), images, tmp_path / "out")  # type: ignore[arg-type]
    told = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    (line,) = told
    assert line.endswith("pages.tif holds 3 pictures; only the first is predicted")
