"""Exact class activation maps: what each cell of a network's features adds to its class logits.

A network offers them if its `class_head` is an `AdditiveClassHead`.
"""

from __future__ import annotations

from threading import get_ident
from typing import Any

from torch import Tensor, nn

from bustle.core.network import AdditiveClassHead, MultiTaskOutput
from bustle.models.refinement import Refined


def offers_class_maps(network: Refined) -> bool:
    return _additive_head(network) is not None


def run_with_class_maps(network: Refined, image: Tensor) -> tuple[MultiTaskOutput, Tensor]:
    """The output for images `B C *S`, and the class maps `B N *s` of its last pass.

    Raises `ValueError` for a network that offers none. Other threads may run the network at the same time.
    """
    head = _additive_head(network)
    if head is None:
        raise ValueError("the network's class logits are no sum over cells")
    kept: list[Tensor] = []
    own = get_ident()

    def ask(module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return inputs, named | {"keep_maps": kept.append} if get_ident() == own else named

    assert isinstance(head, nn.Module)
    reading = head.register_forward_pre_hook(ask, with_kwargs=True)
    try:
        output = network(image)
    finally:
        reading.remove()
    return output, kept[-1]


def _additive_head(network: Refined) -> AdditiveClassHead | None:
    head = getattr(network.network, "class_head", None)
    return head if isinstance(head, AdditiveClassHead) else None
