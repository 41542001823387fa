"""A second look for a lesion that the edge of its picture cuts off, where the network's outline stops short of it.

Networks hardly draw at the edge of what they are shown, and half a lesion there may be no lesion to them. Beyond the
edge the picture is continued as its mirror image, so that the half becomes a whole one in the middle of a picture; if
the network then outlines what crosses the old edge, it is cut off. The upper edge is skin, and is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bustle.inference.decided_outline import numbered_parts

LONG_SIDE = 320
"""Pixels of the picture's longer side before it is continued."""

CONTINUED = 0.4
"""By how much of its width or height it is continued on each side."""

NEAR = 0.15
"""As a share of the width or height: an outline this near to an edge, or none at all, is worth a second look."""

MAIN_SHARE = 0.5
"""What crosses an edge is at least this share of all that is outlined: shadows at an edge are a by-product."""


def is_worth_it(mask: NDArray[np.bool_], *, frame: Sequence[slice]) -> bool:
    """Whether the network's own mask `H W` leaves it open that an edge of the picture's `frame` cuts a lesion."""
    seen = mask[tuple(frame)]
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return True
    height, width = seen.shape
    gaps = (columns[0] / width, 1 - (columns[-1] + 1) / width, 1 - (rows[-1] + 1) / height)
    return bool(min(gaps) <= NEAR)


def continued(image: NDArray[np.uint8], *, frame: Sequence[slice]) -> NDArray[np.uint8]:
    """What an image `C H W` shows in its `frame`, small, and mirrored at the left, the right and the lower edge."""
    planes = []
    for plane in image:
        seen = plane[tuple(frame)]
        height, width = _small_size(seen.shape)
        small = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA)
        below, aside = int(CONTINUED * height), int(CONTINUED * width)
        planes.append(cv2.copyMakeBorder(small, 0, below, aside, aside, cv2.BORDER_REFLECT))
    return np.stack(planes)


def is_cut_off(outlined: NDArray[np.bool_], mask: NDArray[np.bool_], *, frame: Sequence[slice]) -> bool:
    """Whether what is `outlined` in the `continued` image crosses an old edge; `mask` `H W` is the first look's.

    What crosses two edges lies in a corner, where pictures are dark: it counts only where the first look outlined it.
    """
    first = np.ascontiguousarray(mask[tuple(frame)]).view(np.uint8)
    height, width = _small_size(first.shape)
    first = cv2.resize(first, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).view(np.bool_)
    left = int(CONTINUED * width)
    parts = numbered_parts(outlined)[:height, left : left + width]
    areas = np.bincount(parts.ravel(), minlength=1)
    areas[0] = 0
    crossing = []
    for edge in (parts[:, 0], parts[:, -1], parts[-1]):
        numbers = np.unique(edge[edge > 0])
        if numbers.size and areas[numbers].sum() >= MAIN_SHARE * areas.sum():
            crossing.append(np.isin(parts, numbers))
    return len(crossing) == 1 or any(bool((found & first).any()) for found in crossing)


def _small_size(size: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, LONG_SIDE / max(size))
    height, width = (max(1, round(edge * scale)) for edge in size)
    return height, width
