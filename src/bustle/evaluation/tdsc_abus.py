"""The official metrics of the TDSC-ABUS 2023 challenge, so that a submission can be scored offline.

Luo et al., "Tumor Detection, Segmentation and Classification Challenge on Automated 3D Breast Ultrasound: The
TDSC-ABUS Challenge", arXiv:2501.15588; its evaluation page (tdsc-abus2023.grand-challenge.org/Evaluation) and its
published evaluation programs, which the final results were made with (PerceptionComputingLab/TDSC-ABUS2023,
Final_Evaluation). Where those differ, the programs are followed:

- Dice of the whole volume; HD = the greatest distance from a voxel of one mask to the nearest voxel of the other,
  of both directions the larger, no percentile; infinite where one mask is empty. The spacing is that of the masks'
  headers. The distributed headers hold a spacing of 1, so HD is in VOXELS: the squares of the HDs that the organisers
  published by case are whole numbers. The case score is Dice - HD; each figure is averaged over the cases.
- Accuracy of P(malignant) >= 0.5 and the area under the ROC curve; the score is their mean.
- FROC over boxes: a box belongs to the tumour with which its IoU is greatest, and hits it if that is above 0.3. At
  each threshold 0, 0.005, ..., 0.995 every tumour counts once, boxes that hit nothing are the false positives, and
  the sensitivity is interpolated linearly at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per volume: 0 below the
  curve's first point, its greatest value beyond the last. The figure is the mean of the seven.

Not confirmed: the text of the paper's own section on metrics could not be read. Not determined by the programs: in
which order points of equal false-positive rate enter the interpolation, as their sort is unstable. Here the one of
lower sensitivity comes first; on simulated submissions the programs' figure differs from this one, and from itself
on another processor, by up to 0.01. Their README still names mAP@0.75 for detection, which they do not compute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bustle.evaluation.classification import areas_under_roc
from bustle.evaluation.metrics import FROC_RATES
from bustle.evaluation.surface import surface_points

LEAST_IOU = 0.3
LEAST_PROBABILITY = 0.5
THRESHOLDS = np.arange(0, 1, 0.005)
GUARD = 1e-8
"""Added above and below each fraction, as the programs do; it decides ties with a rate such as 1/8."""
CHUNK = 200_000


class ChallengeBox(NamedTuple):
    """Centre and side lengths in voxels, in the order of the array's axes: slice, depth, lateral.

    In the challenge's tables X, Y and Z name these axes in this order, so X counts slices.
    """

    centre: tuple[float, float, float]
    lengths: tuple[float, float, float]


class BoxedVolume(NamedTuple):
    """The true boxes of one volume, and the proposed ones with their probabilities."""

    truth: Sequence[ChallengeBox]
    proposed: Sequence[ChallengeBox]
    probability: Sequence[float]


class FrocResult(NamedTuple):
    """Sensitivities at the seven rates and their mean."""

    sensitivities: tuple[float, ...]
    mean: float


def dice(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> float:
    """0 where both masks are empty, which no case of the challenge is."""
    total = int(np.count_nonzero(truth)) + int(np.count_nonzero(prediction))
    return 2 * int(np.count_nonzero(truth & prediction)) / total if total else 0.0


def hausdorff_distance(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> float:
    """The HD of the challenge, in voxels. It goes over all voxels of the masks, not only over their surfaces."""
    if not truth.any() or not prediction.any():
        return math.inf
    return max(_farthest(truth, prediction), _farthest(prediction, truth))


def _farthest(mask: NDArray[np.bool_], target: NDArray[np.bool_]) -> float:
    """The greatest distance from a voxel of `mask` to its nearest voxel of `target`."""
    from scipy.spatial import KDTree

    outside = np.argwhere(mask & ~target)  # those inside have distance 0; the nearest voxel lies on the surface
    tree = KDTree(surface_points(target), balanced_tree=False, compact_nodes=False)
    parts = [outside[start : start + CHUNK] for start in range(0, len(outside), CHUNK)]
    return max((float(tree.query(part)[0].max()) for part in parts), default=0.0)


def box_of_mask(mask: NDArray[np.bool_]) -> ChallengeBox:
    """The tight box as the challenge's `bbx_labels.csv` gives it; the mask must not be empty.

    From the first to the last voxel's index: centre = (first + last) / 2, length = last - first. (The published
    box of validation case 100 follows this; others report it of all 30 validation cases.)
    """
    ends = []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        ends.append((float(occupied[0]), float(occupied[-1])))
    (z, y, x) = ends
    return ChallengeBox(centre=(sum(z) / 2, sum(y) / 2, sum(x) / 2), lengths=(z[1] - z[0], y[1] - y[0], x[1] - x[0]))


def box_iou(first: ChallengeBox, second: ChallengeBox) -> float:
    """Intersection over union of two boxes; 0 where they do not overlap."""
    shared = 1.0
    for a, length_a, b, length_b in zip(first.centre, first.lengths, second.centre, second.lengths, strict=True):
        shared *= max(0.0, min(a + length_a / 2, b + length_b / 2) - max(a - length_a / 2, b - length_b / 2))
    return shared / (math.prod(first.lengths) + math.prod(second.lengths) - shared) if shared else 0.0


def accuracy(malignant: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    return float(((probability >= LEAST_PROBABILITY) == malignant).mean())


def auc(malignant: NDArray[np.bool_], probability: NDArray[np.float64]) -> float | None:
    """None where all cases are of one class."""
    value = areas_under_roc(malignant, probability, weights=np.ones((1, len(probability))))[0]
    return None if np.isnan(value) else float(value)


def froc(volumes: Sequence[BoxedVolume]) -> FrocResult:
    """The detection figure. Raises `ValueError` without any true box."""
    total = sum(len(volume.truth) for volume in volumes)
    if not total:
        raise ValueError("the FROC figure needs at least one true box")
    best_of_lesion: list[float] = []  # a lesion counts from the most probable box that hits it
    false = []
    for volume in volumes:
        found: dict[int, float] = {}
        for box, probability in zip(volume.proposed, volume.probability, strict=True):
            overlaps = [box_iou(lesion, box) for lesion in volume.truth]
            if overlaps and max(overlaps) > LEAST_IOU:
                lesion = overlaps.index(max(overlaps))
                found[lesion] = max(found.get(lesion, 0.0), probability)
            else:
                false.append(probability)
        best_of_lesion += found.values()
    points = sorted(
        (
            (sum(value >= threshold for value in false) + GUARD) / (len(volumes) + GUARD),
            (sum(value >= threshold for value in best_of_lesion) + GUARD) / (total + GUARD),
        )
        for threshold in THRESHOLDS
    )
    sensitivities = tuple(float(_interpolated(points, rate)) for rate in FROC_RATES)
    return FrocResult(sensitivities, sum(sensitivities) / len(sensitivities))


def _interpolated(points: Sequence[tuple[float, float]], rate: float) -> float:
    below = [point for point in points if point[0] <= rate]
    above = [point for point in points if point[0] >= rate]
    if not below:
        return 0.0
    if not above:
        return max(sensitivity for _, sensitivity in points)
    (low, start), (high, end) = below[-1], above[0]
    return start + (end - start) * (rate - low) / (high - low + GUARD)
