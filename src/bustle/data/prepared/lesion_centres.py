"""Where the lesions of an annotated volume are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def lesion_centres(instances: NDArray[np.uint8]) -> list[tuple[float, ...]]:
    """The centre of gravity, in voxels, of every lesion of an instance map `d h w`, the largest lesion first."""
    found = []
    for number, box in enumerate(ndimage.find_objects(instances), start=1):
        if box is not None:
            voxels = np.argwhere(instances[box] == number)
            centre = tuple(float(mean) + side.start for mean, side in zip(voxels.mean(axis=0), box, strict=True))
            found.append((-len(voxels), centre))
    return [centre for _, centre in sorted(found, key=lambda one: one[0])]
