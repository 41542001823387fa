"""The entry `geometry` of prediction.json keeps the form that it has had since the first prediction was written."""

from __future__ import annotations

import pytest

from bustle.core.errors import InputError
from bustle.core.types import Geometry, ImageMapping, VolumeMapping
from bustle.inference.geometry_record import geometry_record, read_geometry_record

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


def test_an_image_comes_back_from_its_record():
    geometry = Geometry((100, 200), spacing=(0.1, 0.2))
    mapping = ImageMapping((0, 0), (100, 200), resized_size=(32, 64), pad_before=(16, 0), network_size=(64, 64))
    assert list(geometry_record(geometry, mapping).items()) == list(IMAGE.items())
    assert read_geometry_record(IMAGE) == (geometry, mapping)


def test_a_volume_comes_back_from_its_record():
    direction = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    geometry = Geometry((10, 70, 30), spacing=(0.5, 0.07, 0.2), origin=(1.0, 2.0, 3.0), direction=direction)
    assert list(geometry_record(geometry, VolumeMapping((10, 10, 12))).items()) == list(VOLUME.items())
    assert read_geometry_record(VOLUME) == (geometry, VolumeMapping((10, 10, 12)))


def test_a_grid_that_no_network_saw_and_a_foreign_entry():
    assert read_geometry_record({"original_size": [5, 6]}) == (Geometry((5, 6)), None)
    assert read_geometry_record(IMAGE | {"pad_before": None})[1] is None
    with pytest.raises(InputError, match="unknown key 'zoom' in geometry"):
        read_geometry_record(IMAGE | {"zoom": 2})
