"""What in an image moved a network's classes, by its gradients.

Grad-CAM: Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra, "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-Based Localization", ICCV 2017, eq. 1 and 2. Integrated gradients: Sundararajan, Taly, Yan, "Axiomatic
Attribution for Deep Networks", ICML 2017, as captum computes them.

What is explained is the logit of one class less the mean of the others': a softmax knows only differences of logits.
A network that passes no gradient from its classes to its outline is explained with the outline as it is.
"""

from __future__ import annotations

from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from bustle.models.refinement import Refined

STEPS = 32
"""Points on the way from the baseline to the image (Gauss-Legendre)."""

AT_ONCE = 4
"""Images of them that go through the network together."""


def class_score(class_logits: Tensor, index: int) -> Tensor:
    """The logit of a class less the mean of the others', `B` of `B N`."""
    count = class_logits.shape[1]
    others = (class_logits.sum(dim=1) - class_logits[:, index]) / (count - 1)
    return class_logits[:, index] - others


def grad_cam(network: Refined, image: Tensor, *, index: int) -> Tensor:
    """Where features speak for a class, 0 or more, `B *s` on the grid of the features, of images `B C *S`.

    The features are the last map in or before the class head; where the head is given none, the last of the coarsest
    maps that the classes depend on.
    """
    in_head: list[Tensor] = []
    elsewhere: list[Tensor] = []
    reading = _read_maps(network, image.ndim, in_head=in_head, elsewhere=elsewhere)
    try:
        with torch.enable_grad():
            logits = network(image.detach().clone().requires_grad_()).class_logits
    finally:
        for hook in reading:
            hook.remove()
    assert logits is not None
    score = class_score(logits, index).sum()
    latest_first = elsewhere[::-1]
    latest_first.sort(key=lambda maps: maps[0, 0].numel())
    for features in (*reversed(in_head), *latest_first):
        if not features.requires_grad:
            continue
        (gradient,) = torch.autograd.grad(score, features, retain_graph=True, allow_unused=True)
        if gradient is not None:
            weights = gradient.flatten(2).mean(dim=2)
            return torch.einsum("bc,bc...->b...", weights, features).relu().detach()
    raise ValueError("the network's classes depend on no map of features")


def _read_maps(network: Refined, axes: int, *, in_head: list[Tensor], elsewhere: list[Tensor]) -> list[Any]:
    """Hooks that append the maps with more than one cell along each axis in the order in which they come about."""
    own = get_ident()

    def keep(value: Any, into: list[Tensor]) -> None:
        if get_ident() == own and isinstance(value, Tensor) and value.ndim == axes and min(value.shape[2:]) > 1:
            into.append(value)

    head = getattr(network.network, "class_head", None)
    inside = set() if not isinstance(head, nn.Module) else set(head.modules())
    hooks = []
    for module in network.modules():
        into = in_head if module in inside else elsewhere
        hooks.append(module.register_forward_hook(lambda m, inputs, output, into=into: keep(output, into)))
    if isinstance(head, nn.Module):
        hooks.append(head.register_forward_pre_hook(lambda m, inputs: keep(inputs[0], in_head)))
    return hooks


def integrated_gradients(network: Refined, image: Tensor, *, index: int) -> Tensor:
    """What each pixel adds to the class's score, `B *S` of images `B C *S`, against a picture of one grey value.

    The grey value is the image's own mean: black, the usual choice, could not be seen to matter, and in ultrasound a
    black lesion does. The sum over the pixels is the score less that of the grey picture, as far as gradients pass
    through the network and `STEPS` suffice. Needs captum.
    """
    from captum.attr import IntegratedGradients  # type: ignore[import-not-found]  (an extra of its own)

    def score(shown: Tensor) -> Tensor:
        logits = network(shown).class_logits
        assert logits is not None
        return class_score(logits, index)

    axes = tuple(range(2, image.ndim))
    grey = image.mean(dim=axes, keepdim=True).expand_as(image)
    with torch.enable_grad():
        found = IntegratedGradients(score).attribute(
            image, baselines=grey, n_steps=STEPS, internal_batch_size=max(AT_ONCE, len(image))
        )
    return found.sum(dim=1).detach()
