"""The model that comes with bustle: what a person gets who trained nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.scripts import script

import bustle
from bustle.cli.main import main
from bustle.core.errors import InputError
from bustle.core.types import Geometry
from bustle.data.phantom.cases import phantom_case
from bustle.inference.known_cases import SEEN
from bustle.inference.package import Package
from bustle.inference.picture_remarks import SEEMS_CUT_OFF
from bustle.inference.pipeline import Item
from bustle.inference.predictor import Predictor
from bustle.inference.shipped import REFERENCE, named_model, shipped_names
from bustle.io.raster import read_image, write_png

MOST_BYTES = 12_000_000
PHOTOS_AND_PAGES = ("astronaut", "camera", "cat", "page")
DICOM_FILES = ("CT_small.dcm", "examples_ybr_color.dcm")
MADE = ("generated page", "vessel (sector)", "white", "uniform noise")


@pytest.fixture(scope="module")
def reference() -> Predictor:
    return Predictor.open(Path(REFERENCE), device="cpu")


def test_it_is_small_whole_and_shows_no_patient():
    assert shipped_names() == [REFERENCE]
    folder = named_model(Path(REFERENCE))
    assert {path.name for path in folder.iterdir()} == {"MODEL_CARD.md", "model.onnx", "package.json"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    record = Package(folder).record
    assert record.half
    assert record.training is not None
    assert record.decision is not None
    assert all(len(sketch.sketch) <= 512 for sketch in record.seen_images)  # hexadecimal: at most 256 bytes
    kept = record.training_cases
    assert kept is not None
    assert kept.width <= 256
    assert kept.count == len(record.seen_images) == sum(part.cases for part in record.training.taught)
    by_class = {part.source: set(part.classes) for part in record.training.taught}
    assert {source: set(classes) for source, classes in kept.embeddings.items()} == by_class
    assert "not a medical device" in (folder / "MODEL_CARD.md").read_text()
    assert "/" not in json.dumps(record.training.encoder_weights)


def test_it_says_where_its_answer_comes_from(reference: Predictor):
    sample = phantom_case(3, seed=0, size=200)
    prediction = reference.predict(sample.image, case_id="a")
    assert reference.explanation_methods() == ("cam",)
    (found,) = reference.explained(prediction, sample.image, methods=("cam",)).explanations
    assert found.class_name in reference.data.classes
    assert found.values.shape == sample.image.shape[1:]
    assert found.values.std() > 0


def test_a_path_of_that_name_shadows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(REFERENCE).mkdir()
    assert named_model(Path(REFERENCE)) == Path(REFERENCE)
    with pytest.raises(InputError):
        Predictor.open(Path(REFERENCE))


def test_where_no_model_is_named_nothing_shadows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path(REFERENCE).mkdir()
    write_png(tmp_path / "scan.png", phantom_case(3, seed=0, size=200).image)
    assert main(["predict", "scan.png", "--out", "out"]) == 0
    assert bustle.load_model(device="cpu").title.startswith("The reference model")


def test_predict_needs_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sample = phantom_case(3, seed=0, size=200)
    write_png(tmp_path / "scan.png", sample.image)
    assert main(["predict", str(tmp_path / "scan.png"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "1 of 1 images predicted by 'The reference model" in said
    record = json.loads((tmp_path / "out" / "scan" / "prediction.json").read_text())
    assert record["provenance"]["recipe"] == REFERENCE
    assert record["decision"] == record["answer"]["decision"]


@pytest.fixture(scope="module")
def other_pictures() -> dict[str, np.ndarray]:
    """Of each kind that `scripts/other_pictures.py` asks about."""
    for needed in ("skimage.data", "pydicom"):
        pytest.importorskip(needed)
    made = script("other_pictures")
    pictures = {"generated page": next(made.generated_pages()), **dict(made.organ_phantoms())}
    pictures |= {name: made.of_skimage(name) for name in PHOTOS_AND_PAGES} | dict(made.empty_pictures())
    return pictures | {name: made.of_pydicom(name) for name in DICOM_FILES}


@pytest.mark.parametrize("name", [*PHOTOS_AND_PAGES, *DICOM_FILES, *MADE])
def test_other_pictures_get_no_answer(name: str, reference: Predictor, other_pictures: dict[str, np.ndarray]):
    prediction = reference.predict(np.ascontiguousarray(other_pictures[name]), case_id="a")
    assert prediction.decision == "no breast ultrasound"
    assert prediction.segmentation is not None
    assert not prediction.segmentation.mask.any()


def test_a_lesion_that_the_edge_of_a_real_image_cuts_off_is_told(reference: Predictor):
    folder = Path(__file__).parents[2] / "src" / "bustle" / "webapp" / "demo" / "images"
    whole = read_image(folder / "case043.png")
    parts = [whole, whole[:, :, :259], whole[:, :, 259:]]
    items = [Item("a", np.ascontiguousarray(part), Geometry(part.shape[1:])) for part in parts]
    said = [SEEMS_CUT_OFF in prediction.remarks for prediction in reference.predict_many(items)]
    assert said == [False, True, True]


def test_real_images_get_answers_without_a_contradiction(reference: Predictor, real_data: Path):
    from bustle.data.sources import open_sources

    cases = open_sources([f"breast:{real_data / 'breast'}"]).cases[:12]
    for case in cases:
        prediction = reference.predict(case.load().image, case_id=case.case_id)
        assert prediction.answer is not None
        if SEEN in prediction.remarks and prediction.similar_cases:
            nearest = prediction.similar_cases[0]
            assert (nearest.source, nearest.class_name) == ("breast", case.label)
        assert prediction.segmentation is not None
        assert prediction.segmentation.mask.any() == (not prediction.answer.draws_nothing)
