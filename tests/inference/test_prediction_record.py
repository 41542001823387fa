"""`prediction.json` is read strictly: what another tool, or a fault, put there is named in one line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.made_model import MADE_MODEL

from bustle.core.data_section import ImageData, PatchData
from bustle.core.errors import InputError
from bustle.core.types import Geometry, ImageSegmentation, LesionCandidate, Prediction, VolumeSegmentation
from bustle.data.prepared.grid import grid_for
from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.inference.prediction_files import read_prediction, write_prediction
from bustle.inference.prediction_record import VolumeRecord, read_record
from bustle.inference.stored_prediction import StoredVolumeMask
from bustle.io.raster import write_png

SHARED = {
    "class_probabilities": {"benign": 0.25, "malignant": 0.75},
    "decision": "malignant",
    "provenance": MADE_MODEL,
}


def image_prediction() -> Prediction:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True
    grid = grid_for(Geometry((40, 60), spacing=(0.1, 0.2)), section=ImageData(size=(32, 64)))
    probability = mask.astype(np.float32)
    drawn = ImageSegmentation(
        probability,
        mask,
        network_mask=grid.mask_to_network(mask),
        lesions=measure_lesions(mask, probability, spacing=(0.1, 0.2)),
    )
    return Prediction("site/a", grid.geometry, grid.mapping, segmentation=drawn, **SHARED)


def volume_prediction() -> Prediction:
    parts = np.zeros((8, 12, 10), np.uint8)
    parts[2:5, 3:8, 4:6] = 1
    section = PatchData(size=(32, 32, 32), spacing_mm=0.5, channels=1, mean=(0.0,), std=(1.0,))
    grid = grid_for(Geometry(parts.shape, spacing=(0.5, 0.5, 0.5)), section=section)
    found = LesionCandidate(
        centre=(3.0, 5.0, 4.5),
        score=0.9,
        voxels=30,
        volume_mm3=3.75,
        box_start=(2, 3, 4),
        box_stop=(5, 8, 6),
        class_probabilities={"benign": 0.25, "malignant": 0.75},
    )
    drawn = VolumeSegmentation(
        (parts > 0).astype(np.float32), parts, network_mask=grid.mask_to_network(parts) > 0, candidates=(found,)
    )
    return Prediction("site/v", grid.geometry, grid.mapping, segmentation=drawn, centre=(3.0, 5.0, 4.0), **SHARED)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("written")
    write_prediction(image_prediction(), folder / "image")
    write_prediction(volume_prediction(), folder / "volume")
    return {"image": folder / "image", "volume": folder / "volume"}


def changed(content: Any, entry: str, value: Any) -> Any:
    """The same content with another value at a dotted place."""
    result = copy.deepcopy(content)
    *inner, last = (int(key) if key.isdigit() else key for key in entry.split("."))
    target = result
    for key in inner:
        target = target[key]
    target[last] = value
    return result


def refused(folder: Path, text: str) -> str:
    """What is said of the record `text` beside the masks of `folder`."""
    record = folder / "prediction.json"
    original = record.read_text()
    record.write_text(text)
    try:
        with pytest.raises(InputError) as caught:
            read_prediction(folder)
    finally:
        record.write_text(original)
    assert caught.value.path == record
    assert "\n" not in str(caught.value)
    return str(caught.value)


WRONG: dict[str, list[Any]] = {
    "image class_probabilities.malignant": ["0.75", [0.75], float("nan"), 7, -0.25, None],
    "image class_probabilities": [[0.25, 0.75], "malignant", 7, {}, {"benign": 0.2, "malignant": 0.2}],
    "image decision": [7, ["malignant"], {}, "normal"],
    "image image_size": ["large", [40], [-40, 60], [40, 10**9], [40.5, 60]],
    "image spacing_mm": [0.1, [0.1, 0.3], ["0.1", "0.2"]],
    "image unit": ["cm", 7],
    "image mask_area": ["4", -4.0, float("inf")],
    "image lesions": [7, {}, ["lesion"]],
    "image lesions.0.area": ["4", [4], float("nan"), 10**400, -1],
    "image lesions.0.probability": [7, "sure"],
    "image lesions.0.contour": ["round", [[1.0]], [["a", "b"]]],
    "image lesions.0.box.y_start": [-1, 0.5, "top", 30],
    "image geometry": [None, 7, [], "flat"],
    "image geometry.original_size": ["large", [-40, 60], [40, 10**9], [40], [4, 4, 40, 60]],
    "image geometry.network_size": [[-32, 64], [32], [32, 10**9], "small"],
    "image geometry.spacing": [[0.1, float("nan")], [0.0, 0.2], 0.1],
    "image provenance": [7, "model", [], {"model": float("nan")}],
    "image input_sha256": [7, ["ab"]],
    "image case_id": [7],
    "image caliper": [1],
    "volume candidates": [7, "two", [7], {}],
    "volume candidates.0.score": ["0.9", float("nan"), 7, -1, None],
    "volume candidates.0.centre": [[3.0, 5.0], "middle", 7, [3.0, 5.0, None]],
    "volume candidates.0.voxels": [-30, 30.5, "30"],
    "volume candidates.0.class_probabilities": [[0.5], {"benign": 2.0}, 7],
    "volume candidates.0.descriptors": [7, "large", []],
    "volume centre": [[3.0], "middle", 7, [3.0, 5.0, float("inf")]],
    "volume mask_volume": ["4", -4.0],
}


@pytest.mark.parametrize(("place", "value"), [(place, value) for place, values in WRONG.items() for value in values])
def test_wrong_values_are_named(written: dict[str, Path], place: str, value: Any):
    kind, entry = place.split()
    content = json.loads((written[kind] / "prediction.json").read_text())
    said = refused(written[kind], json.dumps(changed(content, entry, value)))
    assert max((part for part in entry.split(".") if not part.isdigit()), key=len).split("_")[0] in said
    assert len(said) < 700


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "NaN", "[" * 100_000, '{"decision": ' + "9" * 5000 + "}"])
def test_what_is_no_record_is_refused(written: dict[str, Path], text: str):
    refused(written["image"], text)


def test_masks_of_other_sizes_than_the_record_says_are_refused(written: dict[str, Path], tmp_path: Path):
    for name, size in (("network_mask.png", (31, 64)), ("mask.png", (60, 40))):
        folder = tmp_path / name
        write_prediction(image_prediction(), folder)
        write_png(folder / name, np.zeros(size, bool))
        with pytest.raises(InputError, match=f"is {size[0]} x {size[1]}, prediction.json beside it says") as caught:
            read_prediction(folder)
        assert caught.value.path == folder / name


def test_a_volume_comes_back_with_its_candidates(written: dict[str, Path]):
    stored, made = read_prediction(written["volume"]), volume_prediction()
    assert isinstance(stored.segmentation, StoredVolumeMask)
    assert isinstance(made.segmentation, VolumeSegmentation)
    assert stored.segmentation.candidates == made.segmentation.candidates
    assert np.array_equal(stored.segmentation.parts, made.segmentation.parts)
    assert stored.centre == made.centre


def test_a_volume_from_before_lesions_were_measured_is_read(written: dict[str, Path], tmp_path: Path):
    content = json.loads((written["volume"] / "prediction.json").read_text())
    del content["candidates"][0]["descriptors"]
    (tmp_path / "prediction.json").write_text(json.dumps(content))
    record = read_record(tmp_path / "prediction.json")
    assert isinstance(record, VolumeRecord)
    (candidate,) = record.drawn.candidates
    assert candidate.descriptors is None
    assert candidate.found.voxels == 30


def test_a_record_of_another_tool_may_leave_out_what_is_not_scored(written: dict[str, Path], tmp_path: Path):
    write_prediction(image_prediction(), tmp_path)
    content = json.loads((tmp_path / "prediction.json").read_text())
    needed = ("decision", "class_probabilities", "geometry", "provenance")
    content = {name: content[name] for name in needed}
    (tmp_path / "prediction.json").write_text(json.dumps(content))
    stored = read_prediction(tmp_path)
    assert stored.segmentation is not None
    assert stored.segmentation.lesion_count is None
    assert stored.decision == "malignant"
