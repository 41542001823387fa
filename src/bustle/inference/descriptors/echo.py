"""What the grey values in and around a lesion say.

B-mode grey values are logarithms of echo amplitudes, of a range and a gain that nobody recorded. Levels are therefore
compared as (a - b) / (a + b), from -1 (a is black) to 1 (b is black).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bustle.inference.descriptors.crofton import half_neighbourhood, pairs
from bustle.inference.descriptors.morphology import REACH, smoothed
from bustle.inference.descriptors.results import EchoDescriptors
from bustle.inference.descriptors.tissue import Tissue

GREY_LEVELS = 32
"""Of histogram and co-occurrence matrix: 8 of the 256 grey values are one."""

SECTORS = 36
"""Directions from the lesion's centre in which its edge is looked at."""

INDISTINCT = 0.05
"""An edge is not seen where the contrast across it is lower."""

NO_SIDE = 1e-9
"""A pixel at the edge where the signed distance does not rise by more has no outside: the lesion is a line there."""

FEWEST_ROWS = 3
"""Rows below a lesion, of which less says nothing of its shadow."""


def echo_descriptors(tissue: Tissue, *, depth_axis: int) -> EchoDescriptors:
    """Measure the grey values of an image or a volume; see the table of definitions."""
    inside = tissue.grey[tissue.lesion]
    level = float(inside.mean())
    shares = np.bincount((inside.astype(np.intp) * GREY_LEVELS) // 256, minlength=GREY_LEVELS) / inside.size
    shares = shares[shares > 0]
    below = _same_depth(tissue.grey, tissue.below, tissue.beside, depth_axis=depth_axis, fewest=FEWEST_ROWS)
    beside = _same_depth(tissue.grey, tissue.lesion, tissue.around, depth_axis=depth_axis, fewest=1)
    rim = _same_depth(tissue.grey, tissue.outer_rim, tissue.around, depth_axis=depth_axis, fewest=1)
    texture = _cooccurrence(tissue)
    return EchoDescriptors(
        echo_level=level,
        echo_contrast=_of_pair(beside),
        fat_contrast=None if tissue.fat_level is None else contrast(level, tissue.fat_level),
        edge_contrast=_edge_contrast(tissue),
        edge_direction=_edge_direction(tissue),
        rim_contrast=_of_pair(rim),
        posterior_contrast=_of_pair(below),
        echo_sd=float(inside.std()),
        echo_entropy=float(-(shares * np.log2(shares)).sum()) + 0.0,
        glcm_contrast=None if texture is None else glcm_contrast(texture),
        glcm_homogeneity=None if texture is None else glcm_homogeneity(texture),
        glcm_correlation=None if texture is None else glcm_correlation(texture),
    )


def contrast(level: float, other: float) -> float | None:
    """(a - b) / (a + b), None where both are black (Michelson 1927)."""
    return None if level + other == 0 else (level - other) / (level + other)


def indistinct_share(tissue: Tissue) -> float | None:
    """The share of directions from an image lesion's centre in which the contrast across the edge is not seen.

    It is seen where it has the same sign as that of the whole edge, and at least `INDISTINCT`.
    """
    whole = _edge_contrast(tissue)
    if whole is None:
        return None
    centre = np.argwhere(tissue.lesion).mean(axis=0)
    inner, outer = _sector_means(tissue, tissue.inner_rim, centre), _sector_means(tissue, tissue.outer_ring, centre)
    known = ~np.isnan(inner) & ~np.isnan(outer) & (inner + outer > 0)
    if not known.any():
        return None
    across = (outer[known] - inner[known]) / (outer[known] + inner[known]) * (1 if whole >= 0 else -1)
    return float((across < INDISTINCT).mean())


def _sector_means(tissue: Tissue, band: NDArray[np.bool_], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.argwhere(band) - centre
    sector = ((np.arctan2(places[:, 0], places[:, 1]) / (2 * np.pi) % 1) * SECTORS).astype(np.intp) % SECTORS
    count = np.bincount(sector, minlength=SECTORS)
    total = np.bincount(sector, weights=tissue.grey[band], minlength=SECTORS)
    return np.divide(total, count, out=np.full(SECTORS, np.nan), where=count > 0)


def _of_pair(levels: tuple[float, float] | None) -> float | None:
    return None if levels is None else contrast(*levels)


def _same_depth(
    grey: NDArray[np.float64],
    region: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    depth_axis: int,
    fewest: int,
) -> tuple[float, float] | None:
    """Mean of a region and of its reference over the rows that both have, each row by the region's pixels in it."""
    others = tuple(axis for axis in range(grey.ndim) if axis != depth_axis)
    counts, reference_counts = region.sum(axis=others), reference.sum(axis=others)
    shared = (counts > 0) & (reference_counts > 0)
    if shared.sum() < fewest:
        return None
    weight = counts[shared] / counts[shared].sum()
    mean = np.where(region, grey, 0).sum(axis=others)[shared] / counts[shared]
    reference_mean = np.where(reference, grey, 0).sum(axis=others)[shared] / reference_counts[shared]
    return float(weight @ mean), float(weight @ reference_mean)


def _edge_contrast(tissue: Tissue) -> float | None:
    if not tissue.outer_ring.any():
        return None
    return contrast(float(tissue.grey[tissue.outer_ring].mean()), float(tissue.grey[tissue.inner_rim].mean()))


def _edge_direction(tissue: Tissue) -> float | None:
    """How much of all grey-value change at the edge goes straight outwards: sum of g.n / sum of |g|."""
    if min(tissue.grey.shape) < 2:
        return None
    edge = np.abs(tissue.signed) <= tissue.pixel
    near = tuple(_within(edge, axis) for axis in range(edge.ndim))
    places = np.nonzero(edge[near])
    change = _slopes(smoothed(tissue.grey[near]), places)
    outwards = _slopes(smoothed(tissue.signed[near]), places)
    length = np.linalg.norm(outwards, axis=0)
    sided = length > NO_SIDE
    change, outwards, length = change[:, sided], outwards[:, sided], length[sided]
    size = np.linalg.norm(change, axis=0).sum()
    if size == 0:
        return None
    along = (change * outwards).sum(axis=0) / length
    return float(along.sum() / size)


def _within(edge: NDArray[np.bool_], axis: int) -> slice:
    """Where the edge lies along an axis, with all that its smoothed gradient is computed from."""
    met = np.flatnonzero(edge.any(axis=tuple(other for other in range(edge.ndim) if other != axis)))
    return slice(max(0, int(met[0]) - REACH - 1), int(met[-1]) + REACH + 2)


def _slopes(values: NDArray[np.float64], places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float64]:
    """The gradient `dims N` at some places: central differences, one-sided at the ends of the array."""
    slopes = np.empty((values.ndim, len(places[0])))
    for axis, at in enumerate(places):
        before, after = np.maximum(at - 1, 0), np.minimum(at + 1, values.shape[axis] - 1)
        rise = values[(*places[:axis], after, *places[axis + 1 :])]
        slopes[axis] = (rise - values[(*places[:axis], before, *places[axis + 1 :])]) / (after - before)
    return slopes


def _cooccurrence(tissue: Tissue) -> NDArray[np.float64] | None:
    """The symmetric co-occurrence matrix of neighbours inside the lesion, all directions together, of sum 1."""
    levels = (tissue.grey.astype(np.intp) * GREY_LEVELS) // 256
    counts = np.zeros(GREY_LEVELS**2)
    for offset in half_neighbourhood(tissue.grey.ndim):
        both = np.logical_and(*pairs(tissue.lesion, offset))
        here, there = pairs(levels, offset)
        counts += np.bincount(here[both] * GREY_LEVELS + there[both], minlength=GREY_LEVELS**2)
    if counts.sum() == 0:
        return None
    matrix = counts.reshape(GREY_LEVELS, GREY_LEVELS)
    return (matrix + matrix.T) / (2 * counts.sum())


def glcm_contrast(matrix: NDArray[np.float64]) -> float:
    first, second = np.indices(matrix.shape)
    return float((matrix * (first - second) ** 2).sum())


def glcm_homogeneity(matrix: NDArray[np.float64]) -> float:
    first, second = np.indices(matrix.shape)
    return float((matrix / (1 + (first - second) ** 2)).sum())


def glcm_correlation(matrix: NDArray[np.float64]) -> float | None:
    """None where all levels are the same."""
    levels = np.arange(len(matrix))
    margin = matrix.sum(axis=1)
    mean = float(margin @ levels)
    variance = float(margin @ (levels - mean) ** 2)
    if variance <= 1e-12:
        return None
    return float((levels - mean) @ matrix @ (levels - mean)) / variance
