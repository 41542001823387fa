"""However a volume's axes are stored, the network sees one volume, and what it says comes back to the stored grid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import SimpleITK

from bustle.core.data_section import PatchData
from bustle.core.types import Geometry
from bustle.data.prepared.orientation import Orientation
from bustle.data.prepared.volume_grid import VolumeGrid

SECTION = PatchData(size=(64, 32, 64), spacing_mm=0.5, channels=1, mean=(0.0,), std=(1.0,))
CODES = ["".join(code) for order in itertools.permutations(("LR", "PA", "SI")) for code in itertools.product(*order)]


def image(direction: Sequence[float] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> SimpleITK.Image:
    made = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(0, 256, (9, 14, 11), np.uint8))
    made.SetSpacing((0.4, 0.2, 0.7))
    made.SetOrigin((-5.0, 10.0, 20.0))
    made.SetDirection(direction)
    return made


def stored_as(code: str, made: SimpleITK.Image) -> tuple[np.ndarray, Geometry]:
    turned = SimpleITK.DICOMOrient(made, code)
    size, spacing = turned.GetSize()[::-1], turned.GetSpacing()[::-1]
    geometry = Geometry(size, spacing=spacing, origin=turned.GetOrigin(), direction=turned.GetDirection())
    return SimpleITK.GetArrayFromImage(turned), geometry


def test_the_identity_is_the_convention():
    voxels, geometry = stored_as("LPS", image())
    assert Orientation.of(geometry) == Orientation() == Orientation.of(Geometry((9, 14, 11)))
    assert Orientation().geometry(geometry) == geometry
    np.testing.assert_array_equal(Orientation().from_stored(voxels), voxels)


@pytest.mark.parametrize("code", CODES)
def test_every_order_of_axes_is_one_volume(code: str):
    """As SimpleITK's own reorientation has it."""
    voxels, expected = stored_as("LPS", image())
    turned, geometry = stored_as(code, image())
    orientation = Orientation.of(geometry)
    np.testing.assert_array_equal(orientation.from_stored(turned), voxels)
    np.testing.assert_array_equal(orientation.to_stored(voxels), turned)
    found = orientation.geometry(geometry)
    assert found.original_size == expected.original_size
    assert found.spacing == expected.spacing
    np.testing.assert_allclose(found.origin, expected.origin, atol=1e-9)
    np.testing.assert_allclose(found.direction, expected.direction, atol=1e-12)


@pytest.mark.parametrize("code", ["RAS", "LPI", "SAR", "PIR"])
@pytest.mark.parametrize("degrees", [0, 25])
def test_the_network_sees_the_same_however_it_is_stored(code: str, degrees: float):
    a = np.radians(degrees)
    oblique = (np.cos(a), -np.sin(a), 0.0, np.sin(a), np.cos(a), 0.0, 0.0, 0.0, 1.0)
    voxels, geometry = stored_as("LPS", image(oblique))
    turned, other = stored_as(code, image(oblique))
    one, two = (VolumeGrid.of(each, section=SECTION) for each in (geometry, other))
    np.testing.assert_array_equal(two.prepare(turned[None]), one.prepare(voxels[None]))
    np.testing.assert_array_equal(two.mask_to_network(turned > 128), one.mask_to_network(voxels > 128))
    assert two.mapping == one.mapping
    np.testing.assert_allclose(two.network.origin, one.network.origin, atol=1e-9)
    np.testing.assert_allclose(two.network.direction, one.network.direction, atol=1e-12)

    answer = np.random.default_rng(1).random(one.mapping.network_size, np.float32)
    there = Orientation.of(other)
    np.testing.assert_array_equal(there.from_stored(two.map_to_original(answer)), one.map_to_original(answer))
    parts = (answer > 0.9).astype(np.uint8)
    np.testing.assert_array_equal(there.from_stored(two.parts_to_original(parts)), one.parts_to_original(parts))
    assert two.map_to_original(answer).shape == other.original_size


def test_a_place_goes_with_its_voxel():
    voxels, geometry = stored_as("LPS", image())
    turned, other = stored_as("SAR", image())
    turned = turned * 0
    turned[3, 1, 5] = 1
    ((place,)) = [tuple(map(int, at)) for at in np.argwhere(Orientation.of(other).from_stored(turned))]
    one, two = (VolumeGrid.of(each, section=SECTION) for each in (geometry, other))
    np.testing.assert_allclose(two.place_to_network((3, 1, 5)), one.place_to_network(place))
    np.testing.assert_allclose(two.place_to_original(one.place_to_network(place)), (3, 1, 5))
    assert voxels.shape != turned.shape


def test_halfway_between_two_orders_the_stored_one_stays():
    a = np.radians(45)
    between = (np.cos(a), -np.sin(a), 0.0, np.sin(a), np.cos(a), 0.0, 0.0, 0.0, 1.0)
    assert Orientation.of(Geometry((9, 14, 11), direction=between)).axes == (0, 1, 2)
