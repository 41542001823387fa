"""What is particular to CMUNeXt: its sizes, the block against NumPy, how far it sees, and what the fusion joins."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import erf
from torch import nn

from bustle.core.config import from_mapping
from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models.description import describe
from bustle.models.papers.cmunext import Config, LargeKernelBlock, SkipFusion


@pytest.mark.parametrize(
    ("name", "parameters"), [("cmunext/s", 417_505), ("cmunext", 3_149_185), ("cmunext/l", 8_286_721)]
)
def test_the_count_is_that_of_the_released_code(name: str, parameters: int):
    """The authors' benchmark prints 3.14 million for the middle one: its count cut off, not rounded."""
    description = describe(load_recipe(name))
    assert description.params == parameters
    assert description.task == "seg"


def test_the_block_against_numpy():
    torch.manual_seed(0)
    block = LargeKernelBlock(3, kernel=5).eval()
    randomise(block)
    maps = torch.randn(2, 3, 7, 8)
    p = {name: tensor.numpy() for name, tensor in block.state_dict().items()}

    padded = np.pad(maps.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = sliding_window_view(padded, (5, 5), axis=(2, 3))
    seen = np.einsum("bchwij,cij->bchw", windows, p["depthwise.0.weight"][:, 0])
    expected = maps.numpy() + gelu_then_norm(seen, p, "depthwise")
    for layer in ("pointwise.0", "pointwise.1"):
        mixed = np.einsum("bchw,oc->bohw", expected, p[f"{layer}.0.weight"][:, :, 0, 0])
        expected = gelu_then_norm(mixed, p, layer)

    with torch.no_grad():
        torch.testing.assert_close(block(maps), torch.from_numpy(expected))
    assert p["pointwise.0.0.weight"].shape[0] == 12  # four times as wide between the two


def gelu_then_norm(maps: NDArray, p: dict[str, NDArray], layer: str) -> NDArray:
    """Add the bias of convolution `layer`, apply GELU and its batch norm with running statistics."""
    biased = maps + p[f"{layer}.0.bias"][:, None, None]
    activated = biased * (1 + erf(biased / np.sqrt(2))) / 2
    mean, variance, scale, shift = (
        p[f"{layer}.2.{name}"][:, None, None] for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (activated - mean) / np.sqrt(variance + 1e-5) * scale + shift


def randomise(module: nn.Module) -> None:
    """Draw all weights and running statistics from 0.5 to 1.5, so that variances are positive."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(0.5 + torch.rand_like(tensor))


@pytest.mark.parametrize("kernel", [3, 7, 9])
def test_a_block_sees_as_far_as_its_kernel(kernel: int):
    block = LargeKernelBlock(4, kernel=kernel).eval()
    maps = torch.randn(1, 4, 15, 15)
    changed = maps.clone()
    changed[0, :, 7, 7] += 1
    with torch.no_grad():
        difference = (block(maps) - block(changed)).abs().amax(dim=1)[0] > 1e-9
    rows, columns = difference.nonzero(as_tuple=True)
    reach = kernel // 2
    assert (rows.min().item(), rows.max().item()) == (7 - reach, 7 + reach)
    assert (columns.min().item(), columns.max().item()) == (7 - reach, 7 + reach)


def test_the_grouped_convolution_keeps_encoder_and_decoder_apart():
    fusion = SkipFusion(3).eval()
    skip, decoded = torch.randn(2, 1, 3, 6, 6)
    joined, other_decoder = torch.cat([skip, decoded], dim=1), torch.cat([skip, -decoded], dim=1)
    with torch.no_grad():
        first, second = fusion.grouped(joined), fusion.grouped(other_decoder)
        mixed, other_mixed = fusion(skip, decoded), fusion(skip, -decoded)
    torch.testing.assert_close(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3:], second[:, 3:])
    assert not any(torch.allclose(a, b) for a, b in zip(mixed[0], other_mixed[0], strict=True))  # every channel


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernels": [3, 3, 7, 8, 7]}, "kernels must be odd"),
        ({"depths": [1, 1, 0, 1, 1]}, "widths and depths must be positive"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, list[int]], message: str):
    with pytest.raises(InputError, match=message):
        from_mapping(Config, settings, where="model.config")
