"""Whole groups into parts so that every stratum is divided as evenly as the groups allow.

Greedy assignment of the largest groups first, then moves and swaps for as long as they bring the counts closer to
the ideal (an iterated local search). Groups with the same counts are interchangeable, so the search runs over kinds
of groups, not groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EPSILON = 1e-9
_KICKS = 30
"""The search can get stuck: while a stratum is off by a case or more, a few groups are displaced at random and it
goes on from there."""


def balanced_parts(
    counts: NDArray[np.int64],
    targets: NDArray[np.float64],
    *,
    metric: NDArray[np.float64],
    random: np.random.Generator,
    fixed: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The part of every group, int `G`.

    `counts` `G S`: cases of each stratum in each group; `targets` `P S`: the ideal cases of each stratum in each
    part; `fixed` `G`: the part that a group must have, or -1. Minimises, over all parts, the sum of d' `metric` d
    of the deviations d from the targets; `metric` is `S S`, symmetric and positive definite.
    """
    free = random.permutation(np.flatnonzero(fixed < 0))
    free = free[np.argsort(-counts[free].sum(axis=1), kind="stable")]
    part = fixed.copy()
    deviation = _deviation(part, counts, targets)
    for group in free:  # the part whose cost grows least
        growth = deviation @ metric @ counts[group]
        part[group] = int(np.argmin(growth))
        deviation[part[group]] += counts[group]
    _improve(part, free, counts, deviation, metric)
    for _ in range(_KICKS):
        if np.abs(deviation).max(initial=0) < 1 or len(free) == 0:
            break
        kicked = part.copy()
        moved = random.choice(free, min(len(free), len(targets)), replace=False)
        kicked[moved] = random.integers(len(targets), size=len(moved))
        after = _deviation(kicked, counts, targets)
        _improve(kicked, free, counts, after, metric)
        if _cost(after, metric) < _cost(deviation, metric) + _EPSILON:
            part, deviation = kicked, after
    return part


def _deviation(
    part: NDArray[np.int64], counts: NDArray[np.int64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    deviation = -targets.astype(np.float64)
    np.add.at(deviation, part[part >= 0], counts[part >= 0])
    return deviation


def _cost(deviation: NDArray[np.float64], metric: NDArray[np.float64]) -> float:
    return float(np.einsum("ps,st,pt->", deviation, metric, deviation))


def _improve(
    part: NDArray[np.int64],
    free: NDArray[np.int64],
    counts: NDArray[np.int64],
    deviation: NDArray[np.float64],
    metric: NDArray[np.float64],
) -> None:
    """Move groups, or swap two, while that lowers the cost; changes `part` and `deviation` in place."""
    if len(free) == 0:
        return
    kinds, kind_of = np.unique(counts[free], axis=0, return_inverse=True)
    kind_of = kind_of.reshape(-1)
    vectors = np.vstack([kinds, np.zeros_like(kinds[:1])])  # the last kind is "nothing": a move is a swap with it
    nothing = len(kinds)
    members: dict[tuple[int, int], list[int]] = {}
    for group, kind in zip(free.tolist(), kind_of.tolist(), strict=True):
        members.setdefault((kind, int(part[group])), []).append(group)
    out_kind, in_kind = (index.ravel() for index in np.indices((len(kinds), len(vectors))))
    change = (vectors[out_kind] - vectors[in_kind]).astype(np.float64)
    own_cost = 2 * np.einsum("ks,st,kt->k", change, metric, change)
    parts = range(len(deviation))
    while True:
        available = np.array(
            [[kind == nothing or bool(members.get((kind, p))) for p in parts] for kind in range(len(vectors))]
        )
        best = (-_EPSILON, -1, -1, -1)
        for source in parts:
            for target in parts:
                if source == target:
                    continue
                gain = own_cost + 2 * change @ metric @ (deviation[target] - deviation[source])
                gain[~(available[out_kind, source] & available[in_kind, target])] = np.inf
                choice = int(np.argmin(gain))
                if gain[choice] < best[0] - _EPSILON:
                    best = (float(gain[choice]), choice, source, target)
        _, choice, source, target = best
        if choice < 0:
            return
        for kind, start, end in ((out_kind[choice], source, target), (in_kind[choice], target, source)):
            if kind != nothing:
                group = members[int(kind), start].pop()
                members.setdefault((int(kind), end), []).append(group)
                part[group] = end
        deviation[source] -= change[choice]
        deviation[target] += change[choice]
