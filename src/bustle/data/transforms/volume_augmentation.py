"""A volume recipe's `augmentation` list: all of it becomes one map from the patch into the uncropped volume.

Drawing is apart from applying, and a pure function of (seed, epoch, case), as for images. Because the whole map is
known before anything is read, a patch is interpolated once, and what a turn brings in from outside of the crop is
tissue and not a black corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bustle.core.config import Component, from_component
from bustle.core.errors import InputError
from bustle.data.transforms.augmentation import random_of_case
from bustle.data.transforms.volume_components import Elastic, Flip, Linear, Rotate, Scale

VolumeComponent = Elastic | Flip | Rotate | Scale
COMPONENTS: dict[str, type[VolumeComponent]] = {"elastic": Elastic, "flip": Flip, "rotate": Rotate, "scale": Scale}


@dataclass(frozen=True)
class DrawnVolumeTransform:
    """`source_from_target` maps a voxel's offset from the patch's centre; control points move the target before it.

    `displacements` `3 d h w` in voxels at control points that are `control_spacing` voxels apart.
    """

    source_from_target: Linear
    displacements: NDArray[np.float32] | None = None
    control_spacing: float = 1.0


class VolumeAugmentation:
    """The transforms of a recipe for patches of `size` = (d, h, w)."""

    def __init__(self, components: Sequence[VolumeComponent], *, size: tuple[int, ...]):
        self.components = tuple(components)
        self.size = size

    @classmethod
    def from_components(cls, components: Sequence[Component], *, size: tuple[int, ...]) -> VolumeAugmentation:
        """Check the options of a recipe's components; raises `InputError` that names what is wrong."""
        kind = "augmentation for volumes"
        checked = [
            from_component(component, COMPONENTS, kind=kind, where=f"augmentation.{position} ({component.name})")
            for position, component in enumerate(components)
        ]
        if sum(isinstance(component, Elastic) for component in checked) > 1:
            raise InputError("the recipe names the augmentation elastic twice", remedy="name it once")
        return cls(checked, size=size)

    def draw(self, case_id: str, *, seed: int, epoch: int) -> DrawnVolumeTransform:
        """The transform of one case in one epoch: equal arguments give equal transforms, anywhere.

        The components act on the picture in the recipe's order, the elastic one after the others.
        """
        random = random_of_case(case_id, seed=seed, epoch=epoch)
        matrix = np.eye(3)
        displacements, spacing = None, 1.0
        for component in self.components:
            if isinstance(component, Elastic):
                displacements, spacing = component.draw(random, size=self.size), component.spacing
            else:
                matrix = matrix @ component.draw(random)
        return DrawnVolumeTransform(matrix, displacements, spacing)
