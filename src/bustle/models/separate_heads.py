"""Which of a network's answers rest on weights that the other answer does not share."""

from __future__ import annotations

import torch

from bustle.core.network import Head
from bustle.core.recipe import Recipe
from bustle.models import zoo
from bustle.models.refinement import refined


def separate_heads(recipe: Recipe) -> frozenset[Head]:
    """The heads with weights of their own, found by following the gradients of a network without memory.

    A network whose classes are computed from its maps, or that has no class head, has none for the classes.
    """
    network = zoo.resolve(recipe)
    with torch.device("meta"):
        model = refined(network.build(), network).eval()
        output = model(torch.empty(2, network.in_channels, *recipe.data.size))
    answers: dict[Head, list[torch.Tensor]] = {
        "mask": [] if output.mask_logits is None else [output.mask_logits, *output.aux_masks.values()],
        "class": [] if output.class_logits is None else [output.class_logits],
    }
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    reached = {head: _reached(tensors, weights) for head, tensors in answers.items()}
    others: dict[Head, Head] = {"mask": "class", "class": "mask"}
    return frozenset(head for head in answers if reached[head] - reached[others[head]])


def _reached(tensors: list[torch.Tensor], weights: list[torch.nn.Parameter]) -> set[int]:
    """The places of the weights on which the tensors depend."""
    if not tensors:
        return set()
    gradients = torch.autograd.grad(
        [tensor.sum() for tensor in tensors], weights, allow_unused=True, retain_graph=True
    )
    return {place for place, gradient in enumerate(gradients) if gradient is not None}
