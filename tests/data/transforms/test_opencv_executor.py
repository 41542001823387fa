"""The one-warp executor against NumPy, torchvision and hand-made pictures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from bustle.core.config import Component
from bustle.data.transforms import opencv_executor
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.drawn_transform import DrawnTransform, IntensityStep


def speckle(channels=1, size=(256, 256), seed=0):
    noise = np.random.default_rng(seed).random((channels, *size))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2))
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def lesion(size=(256, 256)):
    y, x = np.mgrid[: size[0], : size[1]]
    return np.uint8(np.hypot((y - 100) / 0.7, x - 150) < 50) * 1 + np.uint8(np.hypot(y - 200, x - 60) < 25) * 2


def drawn_by(*components, size=(256, 256), case_id="a"):
    parsed = [Component(c["name"], {k: v for k, v in c.items() if k != "name"}) for c in components]
    return Augmentation.from_components(parsed, size=size).draw(case_id, seed=0, epoch=0)


def intensity(name, *values):
    return DrawnTransform(after=(IntensityStep(name, values, 0),))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_right_angles_are_pixel_exact(channels, angle):
    image, mask = speckle(channels), lesion()
    drawn = drawn_by({"name": "right_angle_rotate", "angles": [angle]})
    turned, (turned_mask,) = opencv_executor.apply(image, [mask], drawn)
    assert np.array_equal(turned, np.rot90(image, angle // 90, axes=(1, 2)))
    assert np.array_equal(turned_mask, np.rot90(mask, angle // 90))


@pytest.mark.parametrize("size", [(256, 256), (96, 161)])
@pytest.mark.parametrize(("horizontal", "vertical"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_flips_are_pixel_exact(size, horizontal, vertical):
    image, mask = speckle(3, size), lesion(size) > 0
    drawn = drawn_by({"name": "flip", "horizontal": horizontal, "vertical": vertical}, size=size)
    flipped, (flipped_mask,) = opencv_executor.apply(image, [mask], drawn)
    steps = (-1 if vertical else 1, -1 if horizontal else 1)
    assert np.array_equal(flipped, image[:, :: steps[0], :: steps[1]])
    assert np.array_equal(flipped_mask, mask[:: steps[0], :: steps[1]])
    assert flipped_mask.dtype == np.bool_


def test_flips_and_right_angles_together_are_pixel_exact():
    image, mask = speckle(), lesion()
    drawn = drawn_by({"name": "flip", "horizontal": 1}, {"name": "right_angle_rotate", "angles": [90]})
    result, (result_mask,) = opencv_executor.apply(image, [mask], drawn)
    assert np.array_equal(result[0], np.rot90(image[0, :, ::-1]))
    assert np.array_equal(result_mask, np.rot90(mask[:, ::-1]))


def test_a_rotation_agrees_with_torchvision():
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    import torch

    image, mask = speckle(), lesion()
    drawn = drawn_by({"name": "rotate", "degrees": [17, 17]})
    turned, (turned_mask,) = opencv_executor.apply(image, [mask], drawn)
    bilinear = functional.InterpolationMode.BILINEAR
    reference = functional.rotate(torch.from_numpy(image).float(), 17, interpolation=bilinear).numpy()
    assert np.abs(turned - reference).mean() < 0.6
    assert np.abs(turned - reference)[:, 1:-1, 1:-1].max() <= 4
    reference_mask = functional.rotate(torch.from_numpy(mask)[None], 17).numpy()[0]
    assert (turned_mask == reference_mask).mean() > 0.9995


def test_a_composed_warp_agrees_with_scipy_and_keeps_instances():
    image, mask = speckle(), lesion()
    drawn = drawn_by({"name": "rotate", "degrees": [20, 20]}, {"name": "scale", "factor": [1.2, 1.2]})
    a, b, c, d, e, f = drawn.source_from_target
    y_x = np.array([[e, d], [b, a]])
    reference = ndimage.affine_transform(image[0].astype(float), y_x, (f, c), order=1)
    warped, (warped_mask,) = opencv_executor.apply(image, [mask], drawn)
    assert np.abs(warped[0] - reference)[2:-2, 2:-2].mean() < 0.6
    reference_mask = ndimage.affine_transform(mask, y_x, (f, c), order=0)
    assert (warped_mask == reference_mask).mean() > 0.9995
    assert set(np.unique(warped_mask)) <= {0, 1, 2}


def test_outside_is_zero():
    drawn = drawn_by({"name": "scale", "factor": [0.5, 0.5]})
    warped, (mask,) = opencv_executor.apply(np.full((1, 256, 256), 200, np.uint8), [np.ones((256, 256), bool)], drawn)
    assert not warped[:, :60].any()
    assert not mask[:60].any()
    assert (warped[:, 70:186, 70:186] == 200).all()


def test_arguments_stay_as_they_are_and_results_are_their_own():
    image, mask = np.repeat(speckle(), 3, axis=0), lesion()
    image.setflags(write=False)
    mask.setflags(write=False)
    for drawn in (
        DrawnTransform(),
        intensity("saturation", 0.5),
        DrawnTransform(before=(IntensityStep("hue", (0.5,), 0),)),
        drawn_by({"name": "flip", "horizontal": 1}),
        drawn_by({"name": "color_jitter", "brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.5}),
    ):
        result, (result_mask,) = opencv_executor.apply(image, [mask], drawn)
        result += 1
        result_mask += 1
        assert result.shape == image.shape


def test_steps_before_the_warp_come_first():
    image = speckle()
    both = drawn_by({"name": "gamma", "exponent": [2, 2]}, {"name": "rotate", "degrees": [9, 9]})
    turned = drawn_by({"name": "rotate", "degrees": [9, 9]})
    first, _ = opencv_executor.apply(image, [], DrawnTransform(before=both.before))
    expected, _ = opencv_executor.apply(first, [], turned)
    assert np.array_equal(opencv_executor.apply(image, [], both)[0], expected)


def test_blurs_against_scipy():
    image = speckle(3)
    blurred, _ = opencv_executor.apply(image, [], intensity("gaussian_blur", 5, 1.1))
    reference = ndimage.gaussian_filter(image.astype(float), (0, 1.1, 1.1), radius=(0, 2, 2), mode="mirror")
    assert np.abs(blurred - reference).max() <= 2
    for kernel in (3, 5):
        median, _ = opencv_executor.apply(image, [], intensity("median_blur", kernel))
        assert np.array_equal(median, ndimage.median_filter(image, (1, kernel, kernel), mode="nearest"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brightness", 1.3),
        ("brightness", 0.5),
        ("contrast", 1.5),
        ("saturation", 0.3),
        ("saturation", 1.6),
        ("hue", 0.1),
    ],
)
def test_colours_change_as_in_torchvision(name, value):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    import torch

    image = speckle(3)
    changed, _ = opencv_executor.apply(image, [], intensity(name, value))
    reference = getattr(functional, f"adjust_{name}")(torch.from_numpy(image), value).numpy()
    assert np.abs(changed.astype(int) - reference.astype(int)).max() <= 3
    assert np.abs(changed.astype(int) - reference.astype(int)).mean() < 1


def test_grey_images_have_no_colour_to_change():
    grey = speckle()
    repeated = np.repeat(grey, 3, axis=0)
    for name in ("saturation", "hue"):
        assert np.array_equal(opencv_executor.apply(grey, [], intensity(name, 0.3))[0], grey)
        assert np.array_equal(opencv_executor.apply(repeated, [], intensity(name, 0.3))[0], repeated)


def test_gamma_by_hand():
    image = np.array([0, 64, 128, 255], np.uint8).reshape(1, 1, 4)
    changed, _ = opencv_executor.apply(image, [], intensity("gamma", 2.0))
    assert changed.ravel().tolist() == [0, 16, 64, 255]


def test_a_grey_image_in_three_channels_is_treated_like_grey():
    grey = speckle()
    drawn = drawn_by(
        {"name": "color_jitter", "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1},
        {"name": "rotate", "degrees": [7, 7]},
        {"name": "gaussian_blur", "kernel": 5, "sigma": [1, 1]},
    )
    single, _ = opencv_executor.apply(grey, [], drawn)
    tripled, _ = opencv_executor.apply(np.repeat(grey, 3, axis=0), [], drawn)
    assert np.array_equal(tripled, np.repeat(single, 3, axis=0))


def test_a_tone_curve_joins_its_heights_by_straight_lines():
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    curve = intensity("tone_curve", 0.0, 51.0, 255.0)  # a step from 127.5 to 51, then up to white
    changed, _ = opencv_executor.apply(image, [], curve)
    expected = [51 / 127.5 * v if v < 127.5 else 51 + 204 / 127.5 * (v - 127.5) for v in range(256)]
    np.testing.assert_array_equal(changed.ravel(), np.rint(expected))


def test_drawn_tone_curves_rise_from_black_to_white():
    for case in range(20):
        ((_, heights, _),) = drawn_by({"name": "tone_curve", "strength": 1.0}, case_id=str(case)).before
        assert heights[0] == 0
        assert heights[-1] == 255
        assert np.all(np.diff(heights) > 0)


def test_sharpening_adds_what_the_blur_takes_away():
    image = speckle()
    sharpened, _ = opencv_executor.apply(image, [], intensity("sharpen", 0.7, 1.2))
    blurred = ndimage.gaussian_filter(image[0].astype(float), 1.2, mode="mirror", truncate=4 / 1.2)
    expected = np.clip(image[0] + 0.7 * (image[0] - blurred), 0, 255)
    assert np.abs(sharpened[0] - expected).max() <= 2  # the blur and the sum are rounded each
