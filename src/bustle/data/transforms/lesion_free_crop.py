"""A window beside the lesions, as a picture of normal tissue.

Public sets have few normal images, and those of one hospital: a network that learns "normal" from them learns that
hospital's look. The tissue beside a lesion is normal tissue of every hospital.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bustle.data.transforms.drawn_transform import Affine
from bustle.data.transforms.geometric_components import between, check_probability, check_range, enlarged

TRIES = 30


@dataclass(frozen=True, kw_only=True)
class LesionFreeCrop:
    """With `probability`, a window of a part of the `area` and a width-to-height ratio `aspect` without a lesion.

    Where the windows that are tried all meet a lesion, or the lesions are not known, the picture stays as it is.
    `margin`: how far the window keeps from every lesion, as a part of the picture's shorter edge: annotators draw
    the dark centre, and the rim belongs to the lesion too.
    """

    probability: float
    area: tuple[float, float] = (0.15, 0.6)
    aspect: tuple[float, float] = (0.6, 1.8)
    margin: float = 0.03

    def __post_init__(self) -> None:
        check_probability(self.probability, *self.area, self.margin)
        check_range(self.area, name="area", above=0)
        check_range(self.aspect, name="aspect", above=0)

    def draw(self, random: Generator, *, lesions: NDArray[np.uint8] | None) -> Affine | None:
        """Source from target of the window; None where there is none. `lesions` are `h w`, 0 = none."""
        if float(random.random()) >= self.probability or lesions is None or not lesions.any():
            return None
        height, width = lesions.shape
        # sums[y, x] counts the lesion pixels above and to the left.
        sums = cv2.integral((lesions > 0).astype(np.uint8))
        margin = self.margin * min(height, width)
        for _ in range(TRIES):
            area = between(random, *self.area) * height * width
            aspect = math.exp(between(random, math.log(self.aspect[0]), math.log(self.aspect[1])))
            cut_width, cut_height = math.sqrt(area * aspect), math.sqrt(area / aspect)
            across, down = random.random(2).tolist()
            if cut_width > width or cut_height > height:
                continue
            left, top = (width - cut_width) * across, (height - cut_height) * down
            x0, y0 = max(0, math.floor(left - margin)), max(0, math.floor(top - margin))
            x1 = min(width, math.ceil(left + cut_width + margin))
            y1 = min(height, math.ceil(top + cut_height + margin))
            if sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] == 0:
                return enlarged((left, top, cut_width, cut_height), size=(height, width))
        return None
