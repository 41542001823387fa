"""A network that has forgotten what it learned, for comparison."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def shuffled(network: Network, *, seed: int) -> Network:
    """A copy in which the entries of every weight and of every statistic are in another order.

    Their sizes stay what they were, so that the copy computes with numbers like the network's own.
    """
    copied = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in copied.state_dict().values():
            if tensor.is_floating_point():
                order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].reshape(tensor.shape))
    return copied
