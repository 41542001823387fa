"""The slices by which volumes are shown and compared in an audit."""

from __future__ import annotations

import dataclasses

import numpy as np

from bustle.core.types import Geometry, Sample
from bustle.data.relations.frame_features import FrameFeatures, frame_features, pixel_hash


def sample_features(sample: Sample, *, compared: bool) -> FrameFeatures:
    """What near-duplicates are sought by: the image itself, the middle slice of a volume; `compared` as for images.

    A copy of a volume has that slice too; two volumes that overlap by a part are not found by it. Equal are two
    volumes only in all their voxels.
    """
    if sample.image.ndim == 3:
        return frame_features(sample.image, compared=compared)
    features = frame_features(sample.image[:, sample.image.shape[1] // 2], compared=compared)
    return dataclasses.replace(features, pixel_hash=pixel_hash(sample.image))


def shown_slice(sample: Sample) -> Sample:
    """The sample itself; of a volume the slice with most of its lesions as an image, the middle one without any."""
    if sample.image.ndim == 3:
        return sample
    number = sample.image.shape[1] // 2
    mask = sample.lesion_mask
    if mask is not None and mask.any():
        number = int(np.count_nonzero(mask, axis=(1, 2)).argmax())
    spacing = sample.geometry.spacing
    return dataclasses.replace(
        sample,
        image=sample.image[:, number],
        geometry=Geometry(sample.geometry.original_size[1:], spacing=None if spacing is None else spacing[1:]),
        lesion_mask=None if mask is None else mask[number],
        gland_mask=None if sample.gland_mask is None else sample.gland_mask[number],
        other_masks={name: structure[number] for name, structure in sample.other_masks.items()},
    )
