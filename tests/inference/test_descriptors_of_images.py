"""Descriptors of drawn lesions, against closed forms and scikit-image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from skimage import feature, measure

from bustle.data.prepared.lesion_measures import measure_lesions
from bustle.inference.descriptors.crofton import boundary_measure
from bustle.inference.descriptors.definitions import DEFINITIONS
from bustle.inference.descriptors.describe import describe_lesions
from bustle.inference.descriptors.results import ImageShape, LesionDescriptors, VolumeShape

SIZE = (300, 400)
TISSUE, DARK = 120, 60


def ellipse(
    half_axes: tuple[float, float],
    *,
    degrees: float = 0,
    centre: tuple[float, float] = (140, 200),
    spacing: tuple[float, float] = (1, 1),
    size: tuple[int, int] = SIZE,
    radius_factor=lambda angle: 1.0,
) -> np.ndarray:
    """Half axes (along, across) in units of the spacing, turned upwards by `degrees`; the radius times a factor."""
    y, x = (np.indices(size) - np.reshape(centre, (2, 1, 1))) * np.reshape(spacing, (2, 1, 1))
    turn = np.radians(degrees)
    along = x * np.cos(turn) - y * np.sin(turn)
    across = x * np.sin(turn) + y * np.cos(turn)
    u, v = along / half_axes[0], across / half_axes[1]
    return np.hypot(u, v) <= radius_factor(np.arctan2(v, u))


def picture(lesion: np.ndarray, *, inside: int = DARK, outside: int = TISSUE) -> np.ndarray:
    return np.where(lesion, inside, outside).astype(np.uint8)


def described(lesion: np.ndarray, *, grey: np.ndarray | None = None, spacing=None) -> LesionDescriptors:
    (only,) = describe_lesions(picture(lesion) if grey is None else grey, lesion, spacing=spacing)
    return only


def shape_of(lesion: np.ndarray, *, spacing=None) -> ImageShape:
    shape = described(lesion, spacing=spacing).shape
    assert isinstance(shape, ImageShape)
    return shape


def test_every_value_has_a_definition_and_every_definition_a_value():
    lesion = described(ellipse((40, 20)))
    of_images = {name for name, definition in DEFINITIONS.items() if 2 in definition.dims}
    assert set(lesion.values()) == of_images
    of_volumes = {field.name for field in dataclasses.fields(VolumeShape)}
    shapes = {name for name, definition in DEFINITIONS.items() if 3 in definition.dims} - {
        field.name for field in dataclasses.fields(type(lesion.echo))
    }
    assert of_volumes == shapes


@pytest.mark.parametrize("spacing", [None, (0.1, 0.1), (0.3, 0.1)])
@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_an_ellipse_has_its_closed_forms(spacing, degrees):
    step = spacing or (1.0, 1.0)
    a, b = 60 * step[1], 30 * step[1]
    shape = shape_of(ellipse((a, b), degrees=degrees, spacing=step), spacing=spacing)
    pixel = max(step)
    assert shape.longest_diameter == pytest.approx(2 * a, abs=1.5 * pixel)
    assert shape.perpendicular_diameter == pytest.approx(2 * b, abs=1.5 * pixel)
    assert shape.area == pytest.approx(np.pi * a * b, rel=0.015)
    assert shape.equivalent_diameter == pytest.approx(2 * np.sqrt(a * b), rel=0.01)
    turn = np.radians(degrees)
    depth, width = 2 * np.hypot(a * np.sin(turn), b * np.cos(turn)), 2 * np.hypot(a * np.cos(turn), b * np.sin(turn))
    assert shape.depth == pytest.approx(depth, abs=1.5 * pixel)
    assert shape.width == pytest.approx(width, abs=1.5 * pixel)
    assert shape.depth_width_ratio == pytest.approx(depth / width, rel=0.06)
    assert shape.orientation == pytest.approx(degrees, abs=0.5)
    assert shape.axis_ratio == pytest.approx(0.5, abs=0.01)
    # Ramanujan's perimeter of an ellipse
    perimeter = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    assert shape.circularity == pytest.approx(
        4 * np.pi * np.pi * a * b / perimeter**2, rel=0.03 if step[0] == step[1] else 0.08
    )
    assert shape.solidity > 0.98
    assert shape.convexity > 0.985
    assert shape.lobes == 1
    assert shape.deepest_indentation < 0.02 * step[0] / step[1]
    assert shape.ellipse_deviation < 0.012
    assert shape.margin_roughness < 0.014


def test_a_disc_is_round_and_has_no_direction():
    lesion = described(ellipse((50, 50)))
    assert lesion.shape.orientation is None
    assert lesion.shape.axis_ratio == pytest.approx(1, abs=1e-6)
    assert lesion.shape.circularity == pytest.approx(1, abs=0.02)
    assert lesion.words.shape == "round"
    assert lesion.words.orientation == "parallel"


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.3, 0.1), (0.1, 0.25)])
def test_the_perimeter_of_a_disc_on_any_pixels(spacing):
    radius = 40 * max(spacing)
    size = tuple(int(2 * radius / step) + 9 for step in spacing)
    disc = ellipse((radius, radius), centre=(size[0] // 2, size[1] // 2), spacing=spacing, size=size)
    assert boundary_measure(disc, step=spacing) == pytest.approx(2 * np.pi * radius, rel=0.01)


def test_shape_values_agree_with_scikit_image():
    lesion = ellipse((70, 35), degrees=25, radius_factor=lambda angle: 1 + 0.15 * np.cos(5 * angle))
    shape = shape_of(lesion)
    (region,) = measure.regionprops(lesion.astype(np.uint8))
    assert shape.area == region.area
    assert shape.equivalent_diameter == pytest.approx(region.equivalent_diameter_area)
    assert shape.longest_diameter == pytest.approx(region.feret_diameter_max, abs=1)
    assert shape.solidity == pytest.approx(region.solidity, abs=0.02)
    assert shape.axis_ratio == pytest.approx(region.axis_minor_length / region.axis_major_length, abs=1e-3)
    from_horizontal = abs(90 - abs(np.degrees(region.orientation)))
    assert shape.orientation == pytest.approx(from_horizontal, abs=0.01)
    assert boundary_measure(lesion, step=(1, 1)) == pytest.approx(measure.perimeter_crofton(lesion, directions=4))


def test_lobes_are_counted_and_make_a_lesion_irregular():
    clover = described(ellipse((60, 60), radius_factor=lambda angle: 1 + 0.3 * np.cos(5 * angle)))
    assert clover.shape.lobes == 5
    assert clover.shape.convexity < 0.95
    assert clover.shape.deepest_indentation > 0.1
    assert clover.words.shape == "irregular"
    peanut = shape_of(ellipse((60, 60), radius_factor=lambda angle: 1 + 0.5 * np.cos(2 * angle)))
    assert peanut.lobes == 2


def test_a_wave_on_a_disc_is_a_deviation_if_coarse_and_a_roughness_if_fine():
    """A radius r (1 + e cos k t) lies sqrt(1/2) e r from the circle: e / (2 sqrt 2) of the diameter."""
    amplitude = 0.06
    for count, fine in ((4, False), (18, True)):
        wave = lambda angle, count=count: 1 + amplitude * np.cos(count * angle)  # noqa: E731
        shape = shape_of(ellipse((110, 110), radius_factor=wave))
        expected = amplitude / (2 * np.sqrt(2))
        assert shape.ellipse_deviation == pytest.approx(expected, rel=0.2)
        assert shape.margin_roughness == pytest.approx(expected if fine else 0.002, rel=0.2, abs=0.002)


def test_a_scale_changes_lengths_and_nothing_else():
    lesion = ellipse((60, 30), degrees=20, radius_factor=lambda angle: 1 + 0.1 * np.cos(7 * angle))
    in_px, in_mm = described(lesion), described(lesion, spacing=(0.07, 0.07))
    assert (in_px.unit, in_mm.unit) == ("px", "mm")
    powers = {"length": 1, "area": 2}
    for name, value in in_px.values().items():
        factor = 0.07 ** powers.get(DEFINITIONS[name].quantity, 0)
        if name != "fat_contrast":  # its layer is told in mm where they are known
            assert in_mm.values()[name] == (None if value is None else pytest.approx(value * factor, rel=1e-6)), name


def test_one_pixel_is_a_lesion():
    lesion = np.zeros((40, 50), bool)
    lesion[20, 30] = True
    one = described(lesion, spacing=(0.2, 0.1))
    assert one.shape.area == pytest.approx(0.02)
    assert one.shape.longest_diameter == pytest.approx(0.2)
    assert (one.shape.depth, one.shape.width) == (pytest.approx(0.2), pytest.approx(0.1))
    assert one.shape.solidity == one.shape.convexity == one.shape.lobes == 1
    assert one.echo.glcm_contrast is None
    assert all(value is None or np.isfinite(value) for value in one.values().values())


def test_the_largest_is_first_as_in_the_measured_lesions_of_a_prediction():
    mask = np.zeros(SIZE, bool)
    for y, x, size in ((10, 10, 5), (100, 50, 20), (100, 10, 5), (10, 60, 5), (200, 300, 9)):
        mask[y : y + size, x : x + size] = True
    found = describe_lesions(picture(mask), mask, spacing=None)
    assert [lesion.number for lesion in found] == [1, 2, 3, 4, 5]
    measured = measure_lesions(mask, mask.astype(np.float32), spacing=None)
    assert [lesion.start + lesion.stop for lesion in found] == [tuple(lesion.box) for lesion in measured]
    assert [lesion.shape.longest_diameter for lesion in found] == [
        pytest.approx(lesion.long_axis, abs=1e-3) for lesion in measured
    ]


def test_instances_that_touch_are_two_lesions():
    instances = np.zeros(SIZE, np.uint8)
    instances[100:140, 100:130], instances[100:140, 130:170] = 2, 1
    first, second = describe_lesions(picture(instances > 0), instances, spacing=None)
    assert (first.shape.width, second.shape.width) == (40, 30)


def test_no_lesion_has_no_descriptors():
    assert describe_lesions(np.zeros(SIZE, np.uint8), np.zeros(SIZE, bool), spacing=None) == ()


@pytest.mark.parametrize(("centre", "cut"), [((140, 200), False), ((0, 200), True), ((140, 399), True)])
def test_a_lesion_at_the_edge_is_flagged(centre, cut):
    assert described(ellipse((30, 20), centre=centre)).touches_edge is cut


def test_a_black_margin_is_no_tissue():
    lesion = ellipse((30, 20), centre=(140, 60))
    grey = picture(lesion)
    grey[:, :35] = 0
    found = described(lesion, grey=grey)
    assert found.touches_edge  # of the picture that the margin surrounds
    assert found.echo.echo_contrast == pytest.approx(-1 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("inside", "word"), [(60, "hypoechoic"), (120, "isoechoic"), (200, "hyperechoic"), (8, "anechoic")]
)
def test_echogenicity_is_the_contrast_with_what_lies_beside(inside, word):
    lesion = ellipse((40, 25))
    grey = picture(lesion, inside=inside)
    grey[:115] = 250  # above the lesion's rows: at another depth
    grey[lesion] = inside
    found = described(ellipse((40, 25)), grey=grey)
    assert found.echo.echo_level == inside
    assert found.words.echo_pattern == word
    assert found.echo.echo_contrast == pytest.approx((inside - TISSUE) / (inside + TISSUE), abs=1e-9)


@pytest.mark.parametrize(("below", "word"), [(60, "shadowing"), (120, "no posterior features"), (200, "enhancement")])
def test_a_shadow_is_told_from_the_tissue_beside_it_at_the_same_depth(below, word):
    lesion = ellipse((40, 25))
    fading = np.linspace(1.5, 0.5, SIZE[0])[:, None]  # the gain falls with depth: no shadow
    level = np.full(SIZE, TISSUE, float)
    level[166:, 160:241] = below
    grey = np.where(lesion, DARK, level * fading).astype(np.uint8)
    found = described(lesion, grey=grey)
    assert found.echo.posterior_contrast == pytest.approx((below - TISSUE) / (below + TISSUE), abs=0.02)
    assert found.words.posterior_features == word


def test_no_tissue_below_says_nothing_of_a_shadow():
    found = described(ellipse((40, 25), centre=(SIZE[0] - 20, 200)))
    assert found.echo.posterior_contrast is None
    assert found.words.posterior_features is None


def test_another_lesion_is_not_compared_with():
    mask = ellipse((40, 25)) | ellipse((15, 25), centre=(140, 260))
    grey = picture(mask, inside=10)
    first, _ = describe_lesions(grey, mask, spacing=None)
    assert first.echo.echo_contrast == pytest.approx((10 - TISSUE) / (10 + TISSUE))


def test_a_bright_rim_and_a_blurred_edge():
    lesion = ellipse((40, 25))
    distance = np.hypot(*(np.indices(SIZE) - np.reshape((140, 200), (2, 1, 1))) / np.reshape((25, 40), (2, 1, 1)))
    plain = described(lesion)
    assert plain.echo.rim_contrast == pytest.approx(0)
    assert plain.echo.edge_direction == pytest.approx(1, abs=0.05)
    assert plain.indistinct_share == 0
    rimmed = described(lesion, grey=np.where(~lesion & (distance < 1.15), 220, picture(lesion)).astype(np.uint8))
    assert rimmed.echo.rim_contrast > 0.15
    half_seen = picture(lesion)
    half_seen[:, 200:] = DARK  # no edge to the right
    half = described(lesion, grey=half_seen)
    assert half.indistinct_share == pytest.approx(0.5, abs=0.06)
    assert half.words.margin == "not circumscribed"
    assert plain.words.margin == "circumscribed"
    noise = np.random.default_rng(0).integers(0, 255, SIZE).astype(np.uint8)
    assert abs(described(lesion, grey=noise).echo.edge_direction or 0) < 0.3


def test_texture_agrees_with_scikit_image():
    """Of a rectangle, whose co-occurrences scikit-image counts without a mask."""
    rng = np.random.default_rng(1)
    lesion = np.zeros(SIZE, bool)
    lesion[100:160, 120:220] = True
    grey = rng.integers(0, 256, SIZE).astype(np.uint8)
    grey[:, 1:] = grey[:, 1:] // 2 + grey[:, :-1] // 2
    inside = grey[100:160, 120:220]
    found = described(lesion, grey=grey).echo
    assert found.echo_sd == pytest.approx(inside.std())
    shares = np.histogram(inside // 8, bins=32, range=(0, 32))[0] / inside.size
    assert found.echo_entropy == pytest.approx(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    counts = feature.graycomatrix(inside // 8, [1], angles, levels=32, symmetric=True).sum(axis=(2, 3))
    matrix = (counts / counts.sum())[:, :, None, None]
    assert found.glcm_contrast == pytest.approx(feature.graycoprops(matrix, "contrast").item())
    assert found.glcm_homogeneity == pytest.approx(feature.graycoprops(matrix, "homogeneity").item())
    assert found.glcm_correlation == pytest.approx(feature.graycoprops(matrix, "correlation").item())


def test_fat_is_looked_for_under_the_skin():
    lesion = ellipse((40, 25))
    grey = picture(lesion)
    grey[20:100] = 90
    in_mm = described(lesion, grey=grey, spacing=(0.1, 0.1))  # 2.5 to 7.5 mm: rows 25 to 75
    assert in_mm.echo.fat_contrast == pytest.approx((DARK - 90) / (DARK + 90))
    covered = ellipse((190, 60), centre=(60, 200))
    assert described(covered, spacing=(0.1, 0.1)).echo.fat_contrast is None


def test_taller_than_wide_is_not_parallel():
    assert described(ellipse((40, 20), degrees=90)).words.orientation == "not parallel"
    assert described(ellipse((40, 20))).words.orientation == "parallel"
    assert described(ellipse((40, 20))).words.shape == "oval"


def test_sizes_that_differ_are_refused():
    with pytest.raises(ValueError, match="differ in size"):
        describe_lesions(np.zeros((20, 20), np.uint8), np.zeros((20, 21), bool), spacing=None)
