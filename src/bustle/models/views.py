"""A network's answers to several views of one image, each brought back to the image's own grid.

Averaging over mirrored and resized images at test time: Simonyan, Zisserman, "Very Deep Convolutional Networks for
Large-Scale Image Recognition", ICLR 2015, section 3.2; for maps Chen et al., "DeepLab", TPAMI 2018, section 4.1.

Own choices: an image and its mirror image go through the network as one batch, so that an exported graph holds the
network once per size. Mask logits return to the image's size bilinearly. Maps whose sum has a meaning return by the
parts of cells that overlap, which keeps the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bustle.core.network import MultiTaskOutput
from bustle.core.views import Views
from bustle.models.class_maps import run_with_class_maps
from bustle.models.refinement import Refined


def answers_to_views(network: Refined, image: Tensor, views: Views) -> list[MultiTaskOutput]:
    """The logits of masks `B K *S` and classes `B N` for every view of the images `B C *S`, in no certain order."""
    if views.is_single:
        return [network(image)]
    return [
        one
        for size in views.sizes(image.shape[2:])
        for one in _brought_back(network(_shown(image, size, mirrored=views.mirrored)), image, views)
    ]


def answers_with_class_maps(network: Refined, image: Tensor, views: Views) -> tuple[list[MultiTaskOutput], Tensor]:
    """The same, and the mean of the views' class maps `B N *s` on the grid of the first one's.

    Its sum over the cells is the mean of the views' class logits, but for a constant.
    """
    if views.is_single:
        output, maps = run_with_class_maps(network, image)
        return [output], maps
    answers, kept = [], []
    for size in views.sizes(image.shape[2:]):
        output, maps = run_with_class_maps(network, _shown(image, size, mirrored=views.mirrored))
        answers += _brought_back(output, image, views)
        kept += _turned_back(maps, views)
    return answers, _mean_by_overlap(kept)


def mean_of_views(kept: Sequence[Tensor], views: Views) -> Tensor:
    """The mean over the views of vectors `B F`, of what a network gave for each size of the views, in any order."""
    return torch.stack([part for each in kept for part in _parts(each, views)]).mean(dim=0)


def mean_over_views(explained: Callable[[Tensor], Tensor], image: Tensor, views: Views) -> Tensor:
    """The mean of what `explained` says of every view of the images `B C *S`: maps `B *s` on the first one's grid.

    The sum over its cells is the mean of the maps' sums.
    """
    if views.is_single:
        return explained(image)
    kept = []
    for size in views.sizes(image.shape[2:]):
        shown = _resized(image, size)
        kept.append(explained(shown))
        if views.mirrored:
            kept.append(explained(shown.flip(-1)).flip(-1))
    return _mean_by_overlap(kept)


def _shown(image: Tensor, size: Sequence[int], *, mirrored: bool) -> Tensor:
    """The images at a size; with `mirrored` followed by their mirror images, `2B C *s`."""
    shown = _resized(image, size)
    return torch.cat([shown, shown.flip(-1)]) if mirrored else shown


def _resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """Enlarged bilinearly, or shrunk to the means of what each cell covers."""
    (height, width), (new_height, new_width) = image.shape[-2:], size
    if (height, width) == (new_height, new_width):
        return image
    if new_height > height:
        return F.interpolate(image, size=(new_height, new_width), mode="bilinear", align_corners=False)
    return _by_overlap(image, size) * (new_height * new_width / (height * width))


def _brought_back(output: MultiTaskOutput, image: Tensor, views: Views) -> list[MultiTaskOutput]:
    """The answers in a view's batch, on the image's own grid and the right way round."""
    masks, classes = output.mask_logits, output.class_logits
    if masks is not None and masks.shape[2:] != image.shape[2:]:
        masks = F.interpolate(masks, size=image.shape[2:], mode="bilinear", align_corners=False)
    count = 2 if views.mirrored else 1
    of_masks = [None] * count if masks is None else _turned_back(masks, views)
    of_classes = [None] * count if classes is None else _parts(classes, views)
    return [MultiTaskOutput(mask, logits) for mask, logits in zip(of_masks, of_classes, strict=True)]


def _turned_back(maps: Tensor, views: Views) -> list[Tensor]:
    first, *mirror = _parts(maps, views)
    return [first, *(part.flip(-1) for part in mirror)]


def _parts(batch: Tensor, views: Views) -> list[Tensor]:
    """The images' part of a batch, and that of their mirror images."""
    return list(batch.unflatten(0, (2, -1))) if views.mirrored else [batch]


def _mean_by_overlap(maps: Sequence[Tensor]) -> Tensor:
    """The mean of maps `… h w` on the grid of the first one."""
    return torch.stack([_by_overlap(one, maps[0].shape[-2:]) for one in maps]).mean(dim=0)


def _by_overlap(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps `… h w` on a grid of `size`, their sum kept: each cell is divided over those that it overlaps."""
    (height, width), (new_height, new_width) = maps.shape[-2:], size
    if (height, width) == (new_height, new_width):
        return maps
    return overlaps(height, new_height).to(maps) @ maps @ overlaps(width, new_width).to(maps).T


def overlaps(of: int, onto: int) -> Tensor:
    """Which part of each of `of` cells lies in each of `onto` cells of one edge: `onto x of`, columns sum to 1."""
    old = torch.arange(of + 1, dtype=torch.float64) / of
    new = torch.arange(onto + 1, dtype=torch.float64) / onto
    low = torch.maximum(old[:-1], new[:-1, None])
    high = torch.minimum(old[1:], new[1:, None])
    return ((high - low).clamp(min=0) * of).float()
