"""HD95, ASD and ASSD of a pair of masks, equal to 1e-6, against the field's libraries.

Every peer computes the three distances of the same pairs, in turn with bustle; the results must agree. medpy and
MONAI are measured where they are installed (extra `bench`); the distance transform of the whole image, the plain
way with scipy, always is.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._row import Ratio, Row
from bustle.evaluation.surface import surface_distances

LIMIT, BUSI_PAIRS = 10.0, 647

Mask = NDArray[np.bool_]
Pair = tuple[Mask, Mask]
Distances = Callable[[Mask, Mask], tuple[float, ...]]


@dataclass(frozen=True)
class Size:
    """Images by what they are called."""

    images: tuple[tuple[str, tuple[int, int]], ...]
    pairs: int
    repeats: int


FULL = Size(images=(("256 x 256", (256, 256)), ("native, 500 x 600", (500, 600))), pairs=8, repeats=7)
TINY = Size(images=(("64 x 72", (64, 72)),), pairs=1, repeats=1)


def run(size: Size) -> list[Row]:
    """One row per peer and image size, and one of as many pairs as BUSI has, of the last size, against the limit."""
    rows = []
    for name, shape in size.images:
        goal = f"HD95 + ASD + ASSD, {name}"
        pairs = [lesion_pair(shape, seed=seed) for seed in range(size.pairs)]
        for peer, (package, measure) in PEERS.items():
            if importlib.util.find_spec(package) is None:
                rows.append(Row(goal=goal, peer=peer, needs=package))
                continue
            for pair in pairs:
                # relative, because MONAI computes in single precision
                np.testing.assert_allclose(measure(*pair), like(peer, *pair), rtol=1e-6, err_msg=f"{peer} disagrees")
            ratios = [seconds(measure, pairs) / seconds(own, pairs) for _ in range(size.repeats)]
            rows.append(Row(goal=goal, peer=peer, ratio=Ratio.over(ratios)))
    name, shape = size.images[-1]
    some = [lesion_pair(shape, seed=seed) for seed in range(size.pairs)]
    taken = [seconds(own, [some[number % size.pairs] for number in range(BUSI_PAIRS)]) for _ in range(size.repeats)]
    rows.append(
        Row(
            goal=f"HD95 + ASD + ASSD of {BUSI_PAIRS} pairs, {name}, {LIMIT:g} s of processor time "
            f"({statistics.median(taken):.2f} s measured)",
            peer="the limit",
            ratio=Ratio.over([LIMIT / each for each in taken]),
        )
    )
    return rows


def lesion_pair(shape: tuple[int, int], *, seed: int) -> Pair:
    """A lobulated lesion of a tenth of the image, and a prediction of it that is moved and rough."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre = np.array(shape) * rng.uniform(0.4, 0.6, 2)
    angle = np.arctan2(y - centre[0], x - centre[1])
    radius = 0.18 * min(shape) * (1 + 0.15 * np.sin(3 * angle + rng.uniform(0, 6)))
    distance = np.hypot(y - centre[0], x - centre[1])
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 6)
    rough = distance < radius * (1 + 0.12 * noise / noise.std())
    return distance < radius, np.roll(rough, rng.integers(-8, 9, 2), (0, 1))


def seconds(measure: Distances, pairs: list[Pair]) -> float:
    start = time.process_time()
    for pair in pairs:
        measure(*pair)
    return time.process_time() - start


def own(truth: Mask, prediction: Mask) -> tuple[float, ...]:
    distances = surface_distances(truth, prediction)
    return distances.hd95(), distances.asd(), distances.assd()


def like(peer: str, truth: Mask, prediction: Mask) -> tuple[float, ...]:
    """Bustle's values under the peer's own definition of HD95."""
    distances = surface_distances(truth, prediction)
    if peer == "medpy":
        return distances.hd95_pooled(), distances.asd(), distances.assd()
    return own(truth, prediction)


def _scipy(truth: Mask, prediction: Mask) -> tuple[float, ...]:
    surfaces = [mask & np.logical_not(ndimage.binary_erosion(mask)) for mask in (truth, prediction)]
    to_truth, to_prediction = (np.asarray(ndimage.distance_transform_edt(~surface)) for surface in surfaces)
    first, second = to_truth[surfaces[1]], to_prediction[surfaces[0]]
    both = np.concatenate([first, second])
    return max(np.percentile(first, 95), np.percentile(second, 95)), first.mean(), both.mean()


def _medpy(truth: Mask, prediction: Mask) -> tuple[float, ...]:
    from medpy.metric import binary  # pyright: ignore[reportMissingImports]

    return binary.hd95(prediction, truth), binary.asd(prediction, truth), binary.assd(prediction, truth)


def _monai(truth: Mask, prediction: Mask) -> tuple[float, ...]:
    import torch
    from monai import metrics  # pyright: ignore[reportMissingImports]

    masks = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth)]
    hd95 = metrics.compute_hausdorff_distance(*masks, include_background=True, percentile=95)
    asd = metrics.compute_average_surface_distance(*masks, include_background=True)
    assd = metrics.compute_average_surface_distance(*masks, include_background=True, symmetric=True)
    return float(hd95), float(asd), float(assd)


PEERS: dict[str, tuple[str, Distances]] = {
    "scipy, whole-image distance transform": ("scipy", _scipy),
    "medpy": ("medpy", _medpy),
    "MONAI": ("monai", _monai),
}
"""The package that each needs, and its measurement."""
