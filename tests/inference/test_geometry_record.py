"""The entry `geometry` of prediction.json keeps the form that it has had since the first prediction was written."""

from __future__ import annotations

import pytest

from bustle.core.config import from_mapping, to_mapping
from bustle.core.errors import InputError
from bustle.core.types import Geometry, ImageMapping, VolumeMapping
from bustle.inference.geometry_record import GeometryRecord

IMAGE = {
    "original_size": [100, 200],
    "spacing": [0.1, 0.2],
    "origin": None,
    "direction": None,
    "crop_start": [0, 0],
    "crop_size": [100, 200],
    "resized_size": [32, 64],
    "pad_before": [16, 0],
    "network_size": [64, 64],
}
VOLUME = {
    "original_size": [10, 70, 30],
    "spacing": [0.5, 0.07, 0.2],
    "origin": [1.0, 2.0, 3.0],
    "direction": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    "crop_start": [0, 0, 0],
    "crop_size": [10, 70, 30],
    "resized_size": [10, 10, 12],
    "pad_before": [0, 0, 0],
    "network_size": [10, 10, 12],
}


def read(content):
    record = from_mapping(GeometryRecord, content, where="geometry")
    return record.geometry, record.mapping


def test_an_image_comes_back_from_its_record():
    geometry = Geometry((100, 200), spacing=(0.1, 0.2))
    mapping = ImageMapping(resized_size=(32, 64), pad_before=(16, 0), network_size=(64, 64))
    assert list(to_mapping(GeometryRecord.of(geometry, mapping)).items()) == list(IMAGE.items())
    assert read(IMAGE) == (geometry, mapping)


def test_a_volume_comes_back_from_its_record():
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    geometry = Geometry((10, 70, 30), spacing=(0.5, 0.07, 0.2), origin=(1.0, 2.0, 3.0), direction=direction)
    assert list(to_mapping(GeometryRecord.of(geometry, VolumeMapping((10, 10, 12)))).items()) == list(VOLUME.items())
    assert read(VOLUME) == (geometry, VolumeMapping((10, 10, 12)))


def test_a_grid_that_no_network_saw_and_a_foreign_entry():
    assert read({"original_size": [5, 6]}) == (Geometry((5, 6)), None)
    assert read(IMAGE | {"pad_before": None})[1] is None
    with pytest.raises(InputError, match="unknown key 'zoom' in geometry"):
        read(IMAGE | {"zoom": 2})


@pytest.mark.parametrize(
    ("form", "changed"),
    [
        (IMAGE, {"original_size": [100]}),
        (IMAGE, {"original_size": [-100, 200]}),
        (IMAGE, {"original_size": [100, 10**9]}),
        (IMAGE, {"original_size": [100, 200.5]}),
        (IMAGE, {"spacing": [0.1]}),
        (IMAGE, {"spacing": [0.1, -0.2]}),
        (IMAGE, {"crop_start": [5, 0]}),
        (IMAGE, {"crop_size": [50, 200]}),
        (IMAGE, {"pad_before": [-1, 0]}),
        (IMAGE, {"pad_before": [40, 0]}),
        (IMAGE, {"resized_size": [32, 65]}),
        (IMAGE, {"network_size": [64, 64, 64]}),
        (VOLUME, {"pad_before": [1, 0, 0]}),
        (VOLUME, {"resized_size": [10, 9, 12]}),
        (VOLUME, {"origin": [0.0, 0.0]}),
        (VOLUME, {"direction": [1.0, 0.0, 0.0]}),
    ],
)
def test_entries_that_cannot_be_are_refused(form, changed):
    with pytest.raises(InputError, match=f"geometry.*{next(iter(changed))}"):
        read(form | changed)
