"""Patches of volumes: one interpolation, drawn as a function of (seed, epoch, case), checked against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from bustle.core.config import Component
from bustle.core.errors import InputError
from bustle.data.transforms.volume_augmentation import DrawnVolumeTransform, VolumeAugmentation
from bustle.data.transforms.volume_components import Elastic, Flip, Rotate, Scale, control_points, spline_weights
from bustle.data.transforms.volume_executor import cut_patch

PAPER = [
    Component("rotate", {"depth_axis": 180, "other_axes": 15}),
    Component("flip", {"slices": 0.5, "depth": 0.5, "lateral": 0.5}),
    Component("elastic", {"spacing": 7, "sigma": 3, "probability": 1.0}),
    Component("scale", {"factor": [0.8, 1.25]}),
]
SIZE = (20, 10, 16)
RNG = np.random.default_rng(0)
VOLUME = torch.from_numpy(RNG.integers(30, 256, (1, 30, 20, 26), np.uint8))
MASK = torch.zeros(30, 20, 26, dtype=torch.uint8)
MASK[10:18, 6:13, 9:17] = 3


def by_scipy(volume: np.ndarray, start, size, drawn: DrawnVolumeTransform, *, order: int, fill: float) -> np.ndarray:
    """Every voxel's place written out, splines by SciPy's own."""
    offsets = np.stack(np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in size], indexing="ij")).astype(float)
    if drawn.displacements is not None:
        shift = drawn.displacements.astype(float)
        for axis, length in enumerate(size):
            knots = np.arange(-3, shift.shape[axis + 1] + 1) * drawn.control_spacing
            basis = BSpline.design_matrix(np.arange(length, dtype=float), knots, 3).toarray()
            shift = np.moveaxis(np.tensordot(shift, basis, axes=(axis + 1, 1)), -1, axis + 1)
        offsets = offsets + shift
    middle = np.array([begin + (length - 1) / 2 for begin, length in zip(start, size, strict=True)])
    place = np.tensordot(drawn.source_from_target, offsets, axes=1) + middle[:, None, None, None]
    return map_coordinates(volume.astype(float), place, order=order, mode="grid-constant", cval=fill)


@pytest.mark.parametrize("start", [(5, 5, 5), (-8, 14, 20)])
def test_a_patch_equals_scipys(start: tuple[int, int, int]):
    for seed in range(3):
        drawn = VolumeAugmentation.from_components(PAPER, size=SIZE).draw("a/1", seed=seed, epoch=0)
        assert drawn.displacements is not None
        image, mask = cut_patch(VOLUME, MASK, start=start, size=SIZE, drawn=drawn)
        least = float(VOLUME.min())
        expected = by_scipy(VOLUME[0].numpy(), start, SIZE, drawn, order=1, fill=least)
        assert np.abs(image[0].numpy() - expected).max() < 0.05
        nearest = by_scipy(MASK.numpy(), start, SIZE, drawn, order=0, fill=0)
        assert (mask.numpy() != nearest).mean() < 0.002  # ties between two voxels
        assert mask.dtype == torch.uint8


def test_no_transform_copies_voxels_and_pads_with_the_least_value():
    image, mask = cut_patch(VOLUME, MASK, start=(-3, 2, 20), size=SIZE, drawn=None)
    padded = np.pad(VOLUME[0].numpy(), ((3, 0), (0, 0), (0, 10)), constant_values=int(VOLUME.min()))
    assert np.array_equal(image[0].numpy(), padded[:20, 2:12, 20:36])
    assert mask.sum() == MASK[:17, 2:12, 20:].sum()
    identity = DrawnVolumeTransform(np.eye(3))
    moved, moved_mask = cut_patch(VOLUME, MASK, start=(-3, 2, 20), size=SIZE, drawn=identity)
    assert torch.allclose(moved, image, atol=1e-2)
    assert torch.equal(moved_mask, mask)
    outside, none = cut_patch(VOLUME, MASK, start=(200, 200, 200), size=SIZE, drawn=identity)
    assert (outside == VOLUME.min()).all()
    assert not none.any()


def test_a_quarter_turn_about_the_depth_axis_exchanges_slices_and_lateral():
    """The anisotropic form would hide a swap of axes in a symmetric patch; this one is not symmetric."""
    quarter = DrawnVolumeTransform(np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]))
    cube = VOLUME[:, :20, :10, :20]
    image, _ = cut_patch(cube, MASK[:20, :10, :20], start=(0, 0, 0), size=(20, 10, 20), drawn=quarter)
    by_hand = cube[0].permute(2, 1, 0).flip(2).float()  # the source's slice is the target's lateral place, mirrored
    assert torch.allclose(image[0], by_hand, atol=1e-2)
    depth_profile = cube[0].float().mean(dim=(0, 2))
    assert torch.allclose(image[0].mean(dim=(0, 2)), depth_profile, atol=1e-2), "depth stays where it is"


def test_drawing_depends_on_seed_epoch_and_case_only():
    augmentation = VolumeAugmentation.from_components(PAPER, size=SIZE)
    first = augmentation.draw("a/1", seed=0, epoch=3)
    augmentation.draw("a/2", seed=0, epoch=3)
    again = augmentation.draw("a/1", seed=0, epoch=3)
    assert np.array_equal(first.source_from_target, again.source_from_target)
    assert first.displacements is not None
    assert again.displacements is not None
    assert np.array_equal(first.displacements, again.displacements)
    others = [("a/2", 0, 3), ("a/1", 1, 3), ("a/1", 0, 4)]
    for case, seed, epoch in others:
        other = augmentation.draw(case, seed=seed, epoch=epoch).source_from_target
        assert not np.array_equal(other, first.source_from_target)


def test_components_are_what_they_say():
    random = np.random.default_rng(0)
    turn = Rotate(depth_axis=180, other_axes=0).draw(random)
    assert turn @ turn.T == pytest.approx(np.eye(3))
    assert turn[1] == pytest.approx([0, 1, 0]), "a turn about the depth axis leaves depth alone"
    tilts = [Rotate(depth_axis=180, other_axes=15).draw(random)[1, 1] for _ in range(200)]
    assert min(tilts) >= np.cos(np.radians(15)) ** 2 - 1e-9
    assert np.array_equal(Flip(slices=1, depth=0, lateral=1).draw(random), np.diag([-1.0, 1, -1]))
    factors = [1 / Scale(factor=(0.8, 1.25)).draw(random)[0, 0] for _ in range(200)]
    assert 0.8 <= min(factors) < 0.85
    assert 1.2 < max(factors) <= 1.25
    assert Elastic(spacing=7, sigma=3, probability=0.0).draw(random, size=SIZE) is None
    weights = spline_weights(20, spacing=7)
    assert weights.shape == (20, control_points(20, spacing=7)) == (20, 6)
    assert weights.sum(axis=1) == pytest.approx(np.ones(20))


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (Component("rotate", {"depth_axis": 200, "other_axes": 0}), "between 0 and 180"),
        (Component("elastic", {"spacing": 0.5, "sigma": 3}), "at least 1 voxel"),
        (Component("scale", {"factor": [0, 1]}), "positive"),
        (Component("gamma", {"exponent": [1, 2]}), "unknown augmentation for volumes 'gamma'"),
    ],
)
def test_wrong_options_are_named(component: Component, message: str):
    with pytest.raises(InputError, match=message):
        VolumeAugmentation.from_components([component], size=SIZE)
    with pytest.raises(InputError, match="elastic twice"):
        VolumeAugmentation.from_components([PAPER[2], PAPER[2]], size=SIZE)
