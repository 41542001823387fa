"""What a network's class logits are made of: the features, averaged over places, that linear layers are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from bustle.core.views import Views
from bustle.models.blocks.mean_pooled_head import mean_of_cells
from bustle.models.refinement import Refined
from bustle.models.views import answers_to_views, mean_of_views


def class_layers(network: Refined, *, class_count: int) -> list[nn.Linear]:
    """The layers of its `class_head` that give the class logits; none of a network without a linear one."""
    head = getattr(network.network, "class_head", None)
    layers = head.modules() if isinstance(head, nn.Module) else ()
    return [layer for layer in layers if isinstance(layer, nn.Linear) and layer.out_features == class_count]


@contextmanager
def reading_class_features(network: Refined, *, class_count: int) -> Iterator[list[Tensor]]:
    """Yields a list that gets, every time the network has run on images, their features `B F`.

    They are what the network's `class_layers` multiply, beside each other, of its last pass: `F` is the sum of their
    `in_features`. Other threads may run the network at the same time. Raises `ValueError` for a network without any.
    """
    layers = class_layers(network, class_count=class_count)
    if not layers:
        raise ValueError("the network's class logits are made by no linear layer")
    own, latest = get_ident(), dict.fromkeys(layers)
    found: list[Tensor] = []

    def remember(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if get_ident() == own:
            (features,) = inputs
            # A head that averages cells by itself is given `B C *s`.
            latest[layer] = mean_of_cells(features) if features.ndim > 2 else features  # type: ignore[index]

    def gather(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if get_ident() == own:
            found.append(torch.cat([features for features in latest.values() if features is not None], 1))

    hooks = [layer.register_forward_pre_hook(remember) for layer in layers]
    hooks.append(network.register_forward_hook(gather))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def mean_class_features(network: Refined, image: Tensor, views: Views, *, class_count: int) -> Tensor:
    """The mean over the views of the images `B C *S` of their features `B F`; raises as `reading_class_features`."""
    with reading_class_features(network, class_count=class_count) as found:
        answers_to_views(network, image, views)
    return mean_of_views(found, views)
