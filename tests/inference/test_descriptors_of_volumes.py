"""Descriptors of drawn lesions in volumes, against closed forms and SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK

from bustle.data.phantom.volume_cases import phantom_volume
from bustle.inference.descriptors import describe
from bustle.inference.descriptors.crofton import boundary_measure
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import LesionDescriptors, VolumeShape

SIZE = (44, 64, 50)


def ellipsoid(half_axes, *, centre=(22, 26, 25), spacing=(1, 1, 1)) -> np.ndarray:
    places = (np.indices(SIZE) - np.reshape(centre, (3, 1, 1, 1))) * np.reshape(spacing, (3, 1, 1, 1))
    return ((places / np.reshape(half_axes, (3, 1, 1, 1))) ** 2).sum(axis=0) <= 1


def described(lesion: np.ndarray, *, grey: np.ndarray | None = None, spacing=None) -> LesionDescriptors:
    grey = np.where(lesion, 60, 120).astype(np.uint8) if grey is None else grey
    (only,) = describe_lesions(grey, lesion, spacing=spacing)
    return only


def test_every_value_of_a_volume_is_defined():
    names = {name for name, value in described(ellipsoid((8, 9, 10))).values().items() if name in DEFINITIONS}
    assert names - {"indistinct_share"} == {name for name, one in DEFINITIONS.items() if 3 in one.dims}


@pytest.mark.parametrize("spacing", [None, (0.5, 0.25, 0.3)])
def test_an_ellipsoid_has_its_closed_forms(spacing):
    step = np.array(spacing or (1.0, 1.0, 1.0))
    a, b, c = half_axes = np.array((20, 10, 15)) * step[1]
    found = described(ellipsoid(half_axes, spacing=step), spacing=spacing)
    shape = found.shape
    assert isinstance(shape, VolumeShape)
    assert shape.volume == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.02)
    assert shape.equivalent_diameter == pytest.approx(2 * (a * b * c) ** (1 / 3), rel=0.01)
    voxel = 1.5 * step.max()
    assert (shape.length, shape.depth, shape.width) == tuple(pytest.approx(2 * x, abs=voxel) for x in half_axes)
    diameters = (shape.longest_diameter, shape.middle_diameter, shape.shortest_diameter)
    assert diameters == tuple(pytest.approx(2 * x, abs=voxel) for x in (a, c, b))
    assert shape.depth_width_ratio == pytest.approx(0.5, rel=0.1)
    assert shape.axis_ratio == pytest.approx(0.5, rel=0.03)
    assert shape.orientation == pytest.approx(0, abs=0.5)
    # Thomsen's surface of an ellipsoid, within 1.1 %
    p = 1.6075
    surface = 4 * np.pi * (((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3) ** (1 / p)
    sphericity = np.pi ** (1 / 3) * (6 * shape.volume) ** (2 / 3) / surface
    assert shape.sphericity == pytest.approx(sphericity, rel=0.02 if spacing is None else 0.05)
    assert 0.97 < shape.solidity <= 1
    assert found.words.orientation == "parallel"
    assert found.words.margin is None


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.2, 0.2, 0.2)])
def test_the_surface_agrees_with_simple_itk(spacing):
    """Where voxels are cubes: otherwise SimpleITK weighs directions so that it is 10 % off the closed form."""
    lesion = ellipsoid(np.array((12, 20, 15)) * spacing, spacing=spacing)
    image = SimpleITK.GetImageFromArray(lesion.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    statistics = SimpleITK.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOn()
    statistics.Execute(image)
    assert boundary_measure(lesion, step=spacing) == pytest.approx(statistics.GetPerimeter(1))


def test_solidity_of_an_l_is_that_of_the_voxels_in_its_hull():
    """Two beams of 1 x 1 x n and n x 1 x 1 that meet: the hull's voxels are those of a triangle of side n."""
    lesion = np.zeros(SIZE, bool)
    lesion[10, 10, 10:20] = lesion[10:20, 10, 10] = True
    assert described(lesion).shape.solidity == pytest.approx(19 / 55)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 6), (1, 5, 6)])
def test_flat_lesions(shape):
    lesion = np.zeros(SIZE, bool)
    lesion[20 : 20 + shape[0], 20 : 20 + shape[1], 20 : 20 + shape[2]] = True
    found = described(lesion)
    assert found.shape.solidity == pytest.approx(1)
    assert (found.shape.length, found.shape.depth, found.shape.width) == shape
    assert all(value is None or np.isfinite(value) for value in found.values().values())


def test_a_shadow_runs_along_the_second_axis():
    lesion = ellipsoid((10, 10, 10))
    grey = np.where(lesion, 60, 120).astype(np.uint8)
    grey[12:33, 37:, 15:36] = 50
    found = described(lesion, grey=grey, spacing=(0.5, 0.5, 0.5))
    assert found.words.posterior_features == "shadowing"
    assert found.echo.echo_contrast == pytest.approx(-1 / 3)
    assert described(lesion).words.posterior_features == "no posterior features"


def test_parts_that_touch_at_a_corner_are_one_lesion():
    mask = np.zeros(SIZE, bool)
    mask[10:14, 10:14, 10:14] = mask[14:18, 14:18, 14:18] = True
    mask[40, 40, 40] = True
    found = describe_lesions(np.full(SIZE, 90, np.uint8), mask, spacing=None)
    assert [lesion.shape.volume for lesion in found] == [128, 1]


def test_a_phantoms_lesion_has_the_volume_that_it_was_made_with():
    made = phantom_volume(2, seed=0, coarse=6)
    assert made.lesion_mask is not None
    assert made.geometry.spacing is not None
    (found,) = describe_lesions(made.image[0], made.lesion_mask, spacing=made.geometry.spacing)
    assert isinstance(found.shape, VolumeShape)
    assert found.shape.volume == pytest.approx(made.provenance["volume_mm3"], rel=0.02)
    assert found.words.echo_pattern == "hypoechoic"
    assert (found.unit, found.touches_edge) == ("mm", False)
    (in_voxels,) = describe_lesions(made.image[0], made.lesion_mask, spacing=None)
    assert in_voxels.values()["volume"] == (made.lesion_mask > 0).sum()
    assert in_voxels.unit == "px"


def test_a_large_lesion_is_measured_on_joined_voxels(monkeypatch: pytest.MonkeyPatch):
    """Half as many: those of 0.25 mm along the beam become 0.5 mm, by which lengths may differ.

    A smaller and darker lesion beside it belongs to neither the lesion nor its surroundings.
    """
    lesion = ellipsoid((10.4, 5.2, 7.7), spacing=(1, 0.25, 0.5))
    grey = np.where(lesion, 60, 120).astype(np.uint8)
    grey[10:35, 48:, 12:38] = 50
    other = np.zeros_like(lesion)
    other[18:28, 27:37, 42:48] = True
    assert not (lesion & other).any()
    grey[other] = 5
    lesion |= other
    whole, _ = describe_lesions(grey, lesion, spacing=(1, 0.25, 0.5))
    monkeypatch.setattr(describe, "MOST_VOXELS", 60_000)
    joined, _ = describe_lesions(grey, lesion, spacing=(1, 0.25, 0.5))
    assert (joined.start, joined.stop) == (whole.start, whole.stop)
    assert joined.words == whole.words
    values, expected = joined.values(), whole.values()
    assert values["volume"] == expected["volume"]
    for name in ("longest_diameter", "middle_diameter", "shortest_diameter", "depth", "width", "length"):
        assert values[name] == pytest.approx(expected[name], abs=0.5)
    for name in ("solidity", "sphericity", "axis_ratio", "echo_contrast", "posterior_contrast"):
        assert values[name] == pytest.approx(expected[name], abs=0.05)
    assert values["edge_direction"] != expected["edge_direction"], "voxels were joined"


def test_a_sheet_does_not_vanish_where_voxels_are_joined(monkeypatch: pytest.MonkeyPatch):
    lesion = np.zeros(SIZE, bool)
    lesion[5:40, 63, 5:45] = True
    monkeypatch.setattr(describe, "MOST_VOXELS", 2_000)
    found = described(lesion, spacing=(0.5, 0.07, 0.2))
    assert found.shape.volume == pytest.approx(35 * 40 * 0.007)
    assert found.touches_edge


def test_the_numbers_of_an_instance_map_are_kept():
    numbers = np.zeros(SIZE, np.uint8)
    numbers[5:8, 5:8, 5:8], numbers[20:30, 20:30, 20:30], numbers[40, 40, 40] = 7, 2, 5
    found = describe_lesions(np.full(SIZE, 90, np.uint8), numbers, spacing=None, at_most=2)
    assert [(lesion.number, lesion.shape.volume) for lesion in found] == [(2, 1000), (7, 27)]
