from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.made_model import MADE_MODEL

from bustle.core.answer import Answer
from bustle.core.data_section import ImageData
from bustle.core.errors import InputError
from bustle.core.types import Explanation, Geometry, ImageSegmentation, Prediction
from bustle.data.prepared.image_grid import ImageGrid
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.inference.finding import finding
from bustle.inference.prediction_files import check_pictures, prediction_folder, read_prediction, write_prediction
from bustle.inference.stored_prediction import StoredImageMask
from bustle.io.raster import write_png
from bustle.io.volume import write_volume

SIZE = (90, 120)


@pytest.fixture
def prediction() -> Prediction:
    mask = np.zeros(SIZE, bool)
    mask[20:40, 30:70] = True
    probability = np.where(mask, 0.9, 0.2).astype(np.float32)
    section = ImageData(size=(64, 64), resize="letterbox")
    grid = ImageGrid.of(Geometry(SIZE, spacing=(0.1, 0.1)), section=section)
    return Prediction(
        case_id="site/a",
        geometry=grid.geometry,
        mapping=grid.mapping,
        segmentation=ImageSegmentation(
            probability=probability,
            mask=mask,
            network_mask=np.eye(64, dtype=bool),
            lesions=measure_lesions(mask, probability, spacing=(0.1, 0.1)),
        ),
        class_probabilities={"benign": 0.25, "malignant": 0.75},
        decision="malignant",
        provenance=MADE_MODEL,
    )


def test_a_prediction_comes_back_from_its_files(prediction: Prediction, tmp_path: Path):
    write_prediction(prediction, tmp_path / "p", overlay=np.zeros((3, *SIZE), np.uint8), save_probability=True)
    stored = read_prediction(tmp_path / "p")
    drawn = prediction.segmentation
    assert drawn is not None
    assert isinstance(stored.segmentation, StoredImageMask)
    assert np.array_equal(stored.segmentation.mask, drawn.mask)
    assert stored.segmentation.lesion_count == 1
    network = stored.segmentation.network
    assert network is not None
    assert np.array_equal(network.mask, drawn.network_mask)
    assert (network.grid.geometry, network.grid.mapping) == (prediction.geometry, prediction.mapping)
    assert stored.class_probabilities == prediction.class_probabilities
    assert stored.decision == "malignant"
    assert stored.provenance == prediction.provenance
    probability = cv2.imread(str(tmp_path / "p" / "probability.png"), cv2.IMREAD_UNCHANGED)
    assert probability.dtype == np.uint8
    assert np.array_equal(probability, np.where(drawn.mask, 230, 51))  # 0.9 x 255 = 229.5, 0.2 x 255
    assert cv2.imread(str(tmp_path / "p" / "overlay.png")).shape == (*SIZE, 3)
    with Image.open(tmp_path / "p" / "overlay.png") as overlay:
        assert overlay.info == {"Software": f"bustle, {MADE_MODEL.title}"}
        overlay.verify()  # the text's checksum, too


def test_the_record(prediction: Prediction, tmp_path: Path):
    write_prediction(prediction, tmp_path / "p")
    record = json.loads((tmp_path / "p" / "prediction.json").read_text())
    assert record["case_id"] == "site/a"
    assert record["image_size"] == [90, 120]
    assert (record["spacing_mm"], record["unit"]) == ([0.1, 0.1], "mm")
    assert record["mask_area"] == pytest.approx(20 * 40 * 0.01)
    (lesion,) = record["lesions"]
    assert lesion["area"] == pytest.approx(8.0)
    assert lesion["box"] == {"y_start": 20, "x_start": 30, "y_stop": 40, "x_stop": 70}
    assert lesion["probability"] == pytest.approx(0.9)
    assert 4.0 < lesion["long_axis"] < 4.5
    assert [20.0, 30.0] in lesion["contour"]
    assert not (tmp_path / "p" / "overlay.png").exists()
    assert not (tmp_path / "p" / "probability.png").exists()


def test_writing_again_leaves_no_file_of_the_earlier_prediction(prediction: Prediction, tmp_path: Path):
    write_prediction(prediction, tmp_path / "p", overlay=np.zeros((3, *SIZE), np.uint8), save_probability=True)
    without_mask = replace(prediction, segmentation=None)
    write_prediction(without_mask, tmp_path / "p")
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["prediction.json"]
    stored = read_prediction(tmp_path / "p")
    assert stored.segmentation is None
    assert stored.decision == "malignant"


def test_the_record_stands_only_when_all_else_is_written(prediction: Prediction, tmp_path: Path, monkeypatch):
    write_prediction(prediction, tmp_path / "p")
    from bustle.inference import prediction_files

    def full(path: Path, image: np.ndarray) -> None:
        raise InputError("no space left on the disk", remedy="free some", path=path)

    monkeypatch.setattr(prediction_files, "write_png", full)
    with pytest.raises(InputError, match="no space left"):
        write_prediction(prediction, tmp_path / "p")
    assert not (tmp_path / "p" / "prediction.json").exists()


def explained(prediction: Prediction) -> Prediction:
    values = np.linspace(-2, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    uncertain = Explanation("uncertainty", None, np.zeros(SIZE, np.float32))
    return replace(prediction, explanations=(Explanation("cam", "malignant", values), uncertain))


def test_an_explanation_s_map_is_written_with_what_it_takes_to_read_it(prediction: Prediction, tmp_path: Path):
    picture = np.zeros((3, *SIZE), np.uint8)
    own = explained(prediction)
    write_prediction(own, tmp_path, overlay=picture, explanation_pictures=[picture, picture])
    record = json.loads((tmp_path / "prediction.json").read_text())
    cam, uncertain = record["explanations"]
    assert (cam["method"], cam["class_name"], cam["low"], cam["high"]) == ("cam", "malignant", -2, 2)
    assert cam["value"].startswith("positive speaks for the class")
    stored = cv2.imread(str(tmp_path / cam["file"]), cv2.IMREAD_UNCHANGED)
    assert (stored.dtype, stored.shape) == (np.uint16, SIZE)
    values = cam["low"] + stored / 65535 * (cam["high"] - cam["low"])
    assert np.abs(values - own.explanations[0].values).max() < 4 / 65535
    assert (uncertain["class_name"], uncertain["low"], uncertain["high"]) == (None, 0, 0)
    assert not cv2.imread(str(tmp_path / uncertain["file"]), cv2.IMREAD_UNCHANGED).any()
    assert read_prediction(tmp_path).explained_by == ("cam", "uncertainty")
    check_pictures(tmp_path, probability=False, explanations=("cam", "uncertainty"))
    (tmp_path / "explanation_cam_map.png").unlink()
    with pytest.raises(InputError, match="lacks the explanation_cam_map"):
        check_pictures(tmp_path, probability=False, explanations=("cam",))


def test_writing_again_without_an_explanation_leaves_none(prediction: Prediction, tmp_path: Path):
    picture = np.zeros((3, *SIZE), np.uint8)
    write_prediction(explained(prediction), tmp_path, overlay=picture, explanation_pictures=[picture, picture])
    write_prediction(prediction, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("explanation")]
    assert read_prediction(tmp_path).explained_by == ()
    assert "explanations" not in json.loads((tmp_path / "prediction.json").read_text())


@pytest.mark.parametrize("case_id", ["busi/benign (433)", "1.2.840.1#3", "bus-bra/bus_0001-l", "größe/ä"])
def test_case_ids_become_folders(case_id: str, tmp_path: Path):
    assert prediction_folder(tmp_path, case_id) == tmp_path / case_id


@pytest.mark.parametrize(
    "case_id", ["../a", "a/..", "/etc", "a//b", "a/b/c", "", ".", "a\\b", "a\nb", "a/\x00", "a/ "]
)
def test_unsafe_case_ids_are_refused(case_id: str, tmp_path: Path):
    with pytest.raises(InputError, match="cannot name a folder"):
        prediction_folder(tmp_path, case_id)


def test_broken_files_are_named(prediction: Prediction, tmp_path: Path):
    folder = tmp_path / "p"
    with pytest.raises(InputError, match="holds no prediction"):
        read_prediction(folder)
    write_prediction(prediction, folder)
    record = json.loads((folder / "prediction.json").read_text())
    del record["decision"]
    (folder / "prediction.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="record lacks decision;") as caught:
        read_prediction(folder)
    assert caught.value.path == folder / "prediction.json"
    (folder / "prediction.json").write_text("[]")
    with pytest.raises(InputError, match="lacks"):
        read_prediction(folder)
    write_prediction(prediction, folder)
    (folder / "mask.png").write_bytes(b"no png")
    with pytest.raises(InputError, match=r"mask\.png"):
        read_prediction(folder)


def test_pictures_that_are_missing_or_cut_are_told(tmp_path: Path):
    voxels = np.random.default_rng(0).integers(0, 255, (8, 16, 16), dtype=np.uint8)
    write_png(tmp_path / "overlay.png", np.repeat(voxels[:3], 1, axis=0))
    check_pictures(tmp_path, probability=False)
    with pytest.raises(InputError, match="lacks the probability"):
        check_pictures(tmp_path, probability=True)
    write_volume(tmp_path / "probability.nrrd", voxels, geometry=Geometry((8, 16, 16), spacing=(1.0, 1.0, 1.0)))
    check_pictures(tmp_path, probability=True)
    for name in ("probability.nrrd", "overlay.png"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError):
            check_pictures(tmp_path, probability=True)
        (tmp_path / name).write_bytes(whole)


def test_an_open_case_is_printed_with_what_it_could_be(prediction: Prediction):
    assert finding(prediction) == "malignant 0.75, 1 lesion"
    answer = Answer(
        decision="lesion possible",
        probabilities={"benign": 0.5, "malignant": 0.1, "normal": 0.4},
        possible=("benign", "normal"),
    )
    said = finding(replace(prediction, answer=answer, decision=answer.decision))
    assert said == "lesion possible (benign 0.50, normal 0.40, malignant 0.10), could be benign or normal, 1 lesion"
