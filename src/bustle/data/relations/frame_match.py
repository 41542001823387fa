"""Do two frames show the same ultrasound picture? Align them, then compare the speckle of the overlap.

A crop, a rescaled, recompressed, brightened or re-annotated copy keeps the speckle pattern: its band-passed
intensities correlate above 0.95 nearly everywhere, whereas the next frame of a cine sequence loses the pattern
within a fraction of a beam width of motion. The median over small blocks ignores calipers and text, which cover
a minority of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.data.relations.frame_features import SAME_FRAMING, FrameFeatures, unit_descriptors

COPY_CORRELATION = 0.95
"""Median speckle correlation from which two frames are copies. The copies in BUSI score 0.99 or more, copies of
real frames after JPEG quality 30, rescaling by 0.25 or a crop to half the side 0.96 or more, neighbouring cine
frames up to 0.94."""

SCENE_CORRELATION = 0.75
"""Correlation of the aligned coarse structure from which two frames show the same place of the same breast."""

_SCENE_SPECKLE = 0.05
_LEAST_STRUCTURE = 0.25
"""Below it the speckle is not looked at: frames that graphics aligned, three quarters of all that is compared. 873
cropped, rescaled, brightened and mirrored copies of real frames have 0.37 or more."""

_MIN_MATCHES = 8
_MIN_OVERLAP = 0.25
_MIN_TEXTURED_BLOCKS = 12
_MIN_TEXTURED_PART = 0.3
_BLOCK = 20
_MATCH_SIMILARITY = 0.86


@dataclass(frozen=True)
class FrameMatch:
    """How two aligned frames agree.

    `speckle` is the median block correlation of the band 1 to 5 px, `structure` that of the coarser rest over the
    whole overlap, both -1..1; `overlap` is the shared part of the smaller frame, 0..1; `matches` the number of
    keypoints that agree with the alignment.
    """

    speckle: float
    structure: float
    overlap: float
    matches: int

    @property
    def is_copy(self) -> bool:
        return self.speckle >= COPY_CORRELATION

    @property
    def is_same_scene(self) -> bool:
        return self.is_copy or (self.structure >= SCENE_CORRELATION and self.speckle >= _SCENE_SPECKLE)


def match_frames(first: FrameFeatures, second: FrameFeatures) -> FrameMatch | None:
    """Align `second` to `first` by an affine map and compare; None where no alignment is plausible.

    For a mirrored copy, pass `mirrored(second)`.
    """
    found = _align_by_features(first, second)
    if found is None and float(first.thumbnail @ second.thumbnail) < SAME_FRAMING:
        return None
    transform, matches = (_same_framing(first, second), 0) if found is None else found
    match = _compare(first, second, transform, matches)
    if match is None or not 0.3 < match.speckle < COPY_CORRELATION:
        return match
    refined = _refine(first, second, transform)
    better = None if refined is None else _compare(first, second, refined, matches)
    return better if better is not None and better.speckle > match.speckle else match


def _align_by_features(first: FrameFeatures, second: FrameFeatures) -> tuple[NDArray[np.floating], int] | None:
    """An affine 2 x 3 map from `first` to `second` coordinates (x, y), and how many keypoints agree with it."""
    if min(len(first.points), len(second.points)) < _MIN_MATCHES:
        return None
    similarity = unit_descriptors(first.descriptors) @ unit_descriptors(second.descriptors).T
    forward, backward = similarity.argmax(axis=1), similarity.argmax(axis=0)
    mutual = np.flatnonzero(backward[forward] == np.arange(len(forward)))
    quality = similarity[mutual, forward[mutual]]
    mutual = mutual[np.argsort(-quality, kind="stable")][:200]
    mutual = mutual[similarity[mutual, forward[mutual]] > _MATCH_SIMILARITY]
    if len(mutual) < _MIN_MATCHES:
        return None
    source, target = first.points[mutual], second.points[forward[mutual]]
    cv2.setRNGSeed(0)
    transform, inliers = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=3, maxIters=1000, confidence=0.995
    )
    if transform is None or int(inliers.sum()) < _MIN_MATCHES:
        return None
    transform = np.asarray(transform, np.float64)
    if not _plausible(transform):
        return None
    for tolerance in (2.0, 1.5):  # least squares over ever closer matches
        distance = np.linalg.norm(_mapped(source, transform) - target, axis=1)
        close = distance < tolerance
        if close.sum() < _MIN_MATCHES:
            break
        design = np.column_stack([source[close], np.ones(int(close.sum()))])
        transform = np.linalg.lstsq(design, target[close], rcond=None)[0].T
    agreeing = np.linalg.norm(_mapped(source, transform) - target, axis=1) < 2
    return transform, int(agreeing.sum())


def _mapped(points: NDArray[np.floating], transform: NDArray[np.floating]) -> NDArray[np.floating]:
    return points @ transform[:, :2].T + transform[:, 2]


def _plausible(transform: NDArray[np.floating]) -> bool:
    """Copies are cropped, scaled along the axes and turned a little, never sheared or squeezed beyond 2:1."""
    stretch = np.linalg.svd(transform[:, :2], compute_uv=False)
    return bool(
        np.linalg.det(transform[:, :2]) > 0 and stretch[1] > 0.2 and stretch[0] < 5 and stretch[0] < 2.2 * stretch[1]
    )


def _same_framing(first: FrameFeatures, second: FrameFeatures) -> NDArray[np.floating]:
    """The map of two frames that show exactly the same field, whatever their aspect ratio."""
    (h1, w1), (h2, w2) = first.grey.shape, second.grey.shape
    sx, sy = w2 / w1, h2 / h1
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2]])


def _compare(
    first: FrameFeatures, second: FrameFeatures, transform: NDArray[np.floating], matches: int
) -> FrameMatch | None:
    if np.linalg.det(transform[:, :2]) < 1:  # compare on the coarser of the two grids
        first, second = second, first
        transform = np.asarray(cv2.invertAffineTransform(transform), np.float64)
    warped, tissue, inside = _warp(second, transform, first.grey.shape)
    overlap = inside.sum() / min(inside.size, second.grey.size / max(1e-6, float(np.linalg.det(transform[:, :2]))))
    if overlap < _MIN_OVERLAP:
        return None
    coarse, covered = _coarse(first.grey, inside)
    structure = _correlation(coarse, _coarse(warped, inside)[0], covered)
    if structure < _LEAST_STRUCTURE:
        return None
    shared = _without_margin(inside & tissue & first.tissue)
    bands = _band(first.grey, shared), _band(warped, shared)
    speckle = _block_correlation(*bands, shared, blocks_of=inside)
    if speckle is None:
        return None
    return FrameMatch(speckle, structure, min(1.0, float(overlap)), matches)


def _warp(
    frame: FrameFeatures, transform: NDArray[np.floating], shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    shrink = float(np.sqrt(max(1.0, np.linalg.det(transform[:, :2]))))
    grey = frame.grey
    if shrink > 1.2:  # avoid aliasing
        grey = cv2.GaussianBlur(grey, (0, 0), 0.5 * np.sqrt(shrink**2 - 1))
    size = (shape[1], shape[0])
    nearest = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(grey, transform, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    tissue = cv2.warpAffine(frame.tissue.astype(np.uint8), transform, size, flags=nearest)
    inside = cv2.warpAffine(np.ones_like(grey), transform, size, flags=nearest)
    return warped.astype(np.uint8), tissue > 0, inside > 0


def _without_margin(shared: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the pixels beside text and calipers, whose soft edges are neither tissue nor saturated."""
    return cv2.erode(shared.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0


def _band(grey: NDArray[np.uint8], shared: NDArray[np.bool_]) -> NDArray[np.floating]:
    """The speckle band at even contrast, from shared pixels only: an overlay must not leak into its surroundings."""
    weight = shared.astype(np.float32)
    intensity = grey * weight
    band = _local_mean(intensity, weight, 1) - _local_mean(intensity, weight, 5)
    contrast = np.sqrt(np.maximum(_local_mean(band * band * weight, weight, 5), 0))
    return (band / (contrast + 2)).astype(np.float32)


def _local_mean(weighted: NDArray[np.floating], weight: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    total = cv2.GaussianBlur(weighted, (0, 0), sigma)
    return (total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 0.05)).astype(np.float32)


def _coarse(grey: NDArray[np.uint8], inside: NDArray[np.bool_]) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Structures of 5 to 60 px at an eighth of the size, and which of its pixels lie in the overlap."""
    size = (max(1, grey.shape[1] // 8), max(1, grey.shape[0] // 8))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    covered = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return (small - cv2.GaussianBlur(small, (0, 0), 7.5)).astype(np.float32), covered


def _block_correlation(
    a: NDArray[np.floating], b: NDArray[np.floating], shared: NDArray[np.bool_], *, blocks_of: NDArray[np.bool_]
) -> float | None:
    """The median over textured blocks; None where too few blocks have any texture to speak of."""
    weight = shared.astype(np.float32)
    count = _block_sums(weight)
    sum_a, sum_b = _block_sums(a * weight), _block_sums(b * weight)
    mean_count = np.maximum(count, 1)
    var_a = _block_sums(a * a * weight) - sum_a**2 / mean_count
    var_b = _block_sums(b * b * weight) - sum_b**2 / mean_count
    covariance = _block_sums(a * b * weight) - sum_a * sum_b / mean_count
    full = _BLOCK * _BLOCK
    textured = (count > 0.6 * full) & (np.minimum(var_a, var_b) > 0.1 * mean_count)
    whole = _block_sums(blocks_of.astype(np.float32)) > 0.6 * full
    if textured.sum() < max(_MIN_TEXTURED_BLOCKS, _MIN_TEXTURED_PART * whole.sum()):
        return None
    return float(np.median(covariance[textured] / np.sqrt(var_a[textured] * var_b[textured])))


def _block_sums(values: NDArray[np.floating]) -> NDArray[np.floating]:
    sums = cv2.boxFilter(values, cv2.CV_32F, (_BLOCK, _BLOCK), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return sums[_BLOCK // 2 :: _BLOCK // 2, _BLOCK // 2 :: _BLOCK // 2].astype(np.float32)


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating], where: NDArray[np.bool_]) -> float:
    if not where.any():
        return 0.0
    x, y = a[where] - a[where].mean(), b[where] - b[where].mean()
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / norm if norm > 0 else 0.0


def _refine(
    first: FrameFeatures, second: FrameFeatures, transform: NDArray[np.floating]
) -> NDArray[np.floating] | None:
    """Sub-pixel alignment by the enhanced correlation coefficient (Evangelidis and Psarakis 2008)."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-5)
    a, b = (cv2.GaussianBlur(frame.grey, (0, 0), 1) for frame in (first, second))
    try:
        _, refined = cv2.findTransformECC(a, b, transform.astype(np.float32), cv2.MOTION_AFFINE, criteria)
    except cv2.error:  # it did not converge: the pair has nothing in common there
        return None
    found = np.asarray(refined, np.float64)
    return found if _plausible(found) else None
