"""A recipe's `augmentation` list: which transforms, in which order, with which random ranges.

Drawing is apart from applying, and a pure function of (seed, epoch, case): a run that is resumed, reordered or
spread over processes draws the same. The geometric components are composed into one warp, so that an image is
interpolated once. The warp stands where the first geometric component stands in the recipe: intensity components
before that one are applied before the warp, all others after it, in their order. (A recipe that puts an intensity
component between two geometric ones therefore sees it after both.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from bustle.core.config import Component, from_component
from bustle.core.errors import InputError
from bustle.data.transforms.drawn_transform import IDENTITY, DrawnTransform, composed
from bustle.data.transforms.geometric_components import Crop, Flip, RightAngleRotate, Rotate, Scale, Translate
from bustle.data.transforms.intensity_components import (
    STEPS_PER_COMPONENT,
    ColorJitter,
    DepthGain,
    Gamma,
    GaussianBlur,
    Marks,
    MedianBlur,
    Sharpen,
    Speckle,
    ToneCurve,
)
from bustle.data.transforms.lesion_free_crop import LesionFreeCrop

GeometricComponent = Crop | Flip | RightAngleRotate | Rotate | Scale | Translate
IntensityComponent = (
    ColorJitter | DepthGain | Gamma | GaussianBlur | Marks | MedianBlur | Sharpen | Speckle | ToneCurve
)
AugmentationComponent = GeometricComponent | IntensityComponent | LesionFreeCrop

GEOMETRIC: dict[str, type[GeometricComponent]] = {
    "crop": Crop,
    "flip": Flip,
    "right_angle_rotate": RightAngleRotate,
    "rotate": Rotate,
    "scale": Scale,
    "translate": Translate,
}
INTENSITY: dict[str, type[IntensityComponent]] = {
    "color_jitter": ColorJitter,
    "depth_gain": DepthGain,
    "gamma": Gamma,
    "gaussian_blur": GaussianBlur,
    "marks": Marks,
    "median_blur": MedianBlur,
    "sharpen": Sharpen,
    "speckle": Speckle,
    "tone_curve": ToneCurve,
}


class Augmentation:
    """The transforms of a recipe for a network grid `size` = (h, w)."""

    def __init__(self, components: Sequence[AugmentationComponent], *, size: tuple[int, int]):
        self.components = tuple(components)
        self.size = size

    @classmethod
    def from_components(cls, components: Sequence[Component], *, size: tuple[int, ...]) -> Augmentation:
        """Check the options of a recipe's components; raises `InputError` that names what is wrong."""
        if len(size) != 2:
            raise InputError(
                f"these augmentations are for images, data.size is {list(size)}", remedy="it must be [height, width]"
            )
        known: dict[str, type[AugmentationComponent]] = {**GEOMETRIC, **INTENSITY, "lesion_free_crop": LesionFreeCrop}
        checked = [
            from_component(component, known, kind="augmentation", where=f"augmentation.{position} ({component.name})")
            for position, component in enumerate(components)
        ]
        return cls(checked, size=(size[0], size[1]))

    def draw(
        self, case_id: str, *, seed: int, epoch: int, lesions: NDArray[np.uint8] | None = None
    ) -> DrawnTransform:
        """The transform of one case in one epoch: equal arguments give equal transforms, anywhere.

        `lesions`: the case's lesions `h w`, 0 = none, which a lesion-free crop avoids; None = not known.
        """
        random = random_of_case(case_id, seed=seed, epoch=epoch)
        warp, before, after = IDENTITY, [], []
        warped = avoids_lesions = False
        for position, component in enumerate(self.components):
            if isinstance(component, GeometricComponent):
                warp = composed(warp, component.draw(random, size=self.size))
                warped = True
            elif isinstance(component, LesionFreeCrop):
                window = component.draw(random, lesions=lesions)
                warp, warped = composed(warp, window or IDENTITY), True
                avoids_lesions |= window is not None
            else:
                steps = component.draw(random, slot=position * STEPS_PER_COMPONENT)
                (after if warped else before).extend(steps)
        return DrawnTransform(warp, tuple(before), tuple(after), avoids_lesions)


def random_of_case(case_id: str, *, seed: int, epoch: int) -> Generator:
    """The random numbers that belong to a case in an epoch, whatever was drawn before."""
    digest = hashlib.blake2b(f"{seed}\0{epoch}\0{case_id}".encode(), digest_size=16).digest()
    return Generator(Philox(key=int.from_bytes(digest, "little")))
