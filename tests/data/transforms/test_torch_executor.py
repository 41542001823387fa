"""The batched executor gives what the OpenCV executor gives, up to interpolation in 1/32 pixel and rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from bustle.core.config import Component
from bustle.data.transforms import opencv_executor, torch_executor
from bustle.data.transforms.augmentation import Augmentation
from bustle.data.transforms.drawn_transform import DrawnTransform, IntensityStep

EVERYTHING = (
    {"name": "color_jitter", "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1, "probability": 0.7},
    {"name": "rotate", "degrees": [10, 30], "sign": "both", "probability": 0.5},
    {"name": "right_angle_rotate"},
    {"name": "flip", "horizontal": 0.5, "vertical": 0.5},
    {"name": "scale", "factor": [0.8, 1.2]},
    {"name": "translate", "fraction": 0.1},
    {"name": "gaussian_blur", "probability": 0.5, "kernel": 5, "sigma": [0.1, 1.5]},
    {"name": "median_blur", "probability": 0.5, "kernel": 3},
    {"name": "gamma", "exponent": [0.7, 1.4], "probability": 0.5},
    {"name": "speckle", "probability": 0.5},
    {"name": "depth_gain", "stops": 0.6, "probability": 0.5},
    {"name": "marks", "probability": 0.5},
    {"name": "tone_curve", "strength": 0.5, "probability": 0.5},
    {"name": "sharpen", "amount": [0.2, 1.0], "probability": 0.5},
)
COMPONENTS = {component["name"]: component for component in EVERYTHING}


def drawn_for(components, count, size):
    parsed = [Component(c["name"], {k: v for k, v in c.items() if k != "name"}) for c in components]
    augmentation = Augmentation.from_components(parsed, size=size)
    return [augmentation.draw(f"c/{number}", seed=1, epoch=0) for number in range(count)]


def cases(count, channels, size):
    noise = np.random.default_rng(0).random((count, channels, *size))
    smooth = ndimage.gaussian_filter(noise, (0, 0, 2, 2))
    images = np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))
    y, x = np.mgrid[: size[0], : size[1]]
    one = np.uint8(np.hypot(y - 0.4 * size[0], x - 0.55 * size[1]) < 0.25 * size[0])
    two = np.uint8(np.hypot(y - 0.8 * size[0], x - 0.25 * size[1]) < 0.1 * size[0]) * 2
    return images, np.tile(np.stack([np.maximum(one, two), one]), (count, 1, 1, 1))


def both(components, *, channels=1, size=(128, 128), count=8, device="cpu"):
    images, masks = cases(count, channels, size)
    drawn = drawn_for(components, count, size)
    by_case = [opencv_executor.apply(i, list(m), d) for i, m, d in zip(images, masks, drawn, strict=True)]
    batch, batch_masks = torch_executor.apply(
        torch.from_numpy(images).to(device), torch.from_numpy(masks).to(device), drawn
    )
    assert batch.dtype == torch.uint8
    assert batch_masks.dtype == torch.uint8
    return (
        np.stack([image for image, _ in by_case]).astype(int),
        np.stack([np.stack(mask) for _, mask in by_case]),
        batch.cpu().numpy().astype(int),
        batch_masks.cpu().numpy(),
    )


def assert_alike(opencv, opencv_masks, batched, batched_masks):
    difference = np.abs(opencv - batched)
    assert difference.mean() < 0.6
    assert np.quantile(difference, 0.999) <= 4
    for value in (1, 2):
        a, b = opencv_masks == value, batched_masks == value
        assert (a & b).sum() / (a | b).sum() > 0.99


@pytest.mark.parametrize("name", sorted(COMPONENTS))
@pytest.mark.parametrize("channels", [1, 3])
def test_each_component(name, channels):
    assert_alike(*both([COMPONENTS[name]], channels=channels))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(128, 128), (96, 161)])
def test_all_components_together(channels, size):
    assert_alike(*both(EVERYTHING, channels=channels, size=size, count=12))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_all_components_together_on_a_gpu():
    assert_alike(*both(EVERYTHING, channels=3, count=12, device="cuda"))


def test_crops():
    assert_alike(*both([{"name": "crop"}]))


def test_flips_and_right_angles_are_equal_to_the_pixel():
    components = [COMPONENTS["right_angle_rotate"], COMPONENTS["flip"]]
    opencv, opencv_masks, batched, batched_masks = both(components, channels=3, count=16, size=(128, 128))
    assert np.array_equal(opencv, batched)
    assert np.array_equal(opencv_masks, batched_masks)


def test_median_is_equal_to_the_pixel():
    opencv, _, batched, _ = both([{"name": "median_blur", "kernel": 5}], count=2)
    assert np.array_equal(opencv, batched)


def test_each_case_gets_its_own_blur():
    images = np.tile(cases(1, 1, (64, 64))[0], (3, 1, 1, 1))
    steps = [(), (IntensityStep("gaussian_blur", (5, 0.4), 0),), (IntensityStep("gaussian_blur", (5, 1.5), 0),)]
    drawn = [DrawnTransform(after=step) for step in steps]
    batch, _ = torch_executor.apply(torch.from_numpy(images), torch.zeros(3, 1, 64, 64), drawn)
    assert np.array_equal(batch[0], images[0])
    roughness = [np.abs(np.diff(image.numpy().astype(int))).mean() for image in batch]
    assert roughness[0] > roughness[1] > roughness[2]


def test_float_images_and_other_mask_types_keep_their_types_and_stay_as_they_are():
    images, masks = cases(4, 1, (64, 64))
    tensor, mask_tensor = torch.from_numpy(images).float(), torch.from_numpy(masks).long()
    before = tensor.clone()
    result, result_masks = torch_executor.apply(tensor, mask_tensor, drawn_for(EVERYTHING, 4, (64, 64)))
    assert result.dtype == torch.float32
    assert result_masks.dtype == torch.int64
    assert torch.equal(tensor, before)
    assert 0 <= result.min() <= result.max() <= 255
    untouched, untouched_masks = torch_executor.apply(tensor, mask_tensor, [DrawnTransform()] * 4)
    assert torch.equal(untouched, tensor)
    assert torch.equal(untouched_masks, mask_tensor)
    assert untouched.data_ptr() != tensor.data_ptr()


def test_one_transform_per_case_is_asked_for():
    with pytest.raises(ValueError, match="2 transforms for 3 images"):
        torch_executor.apply(torch.zeros(3, 1, 8, 8), torch.zeros(3, 1, 8, 8), [DrawnTransform()] * 2)
