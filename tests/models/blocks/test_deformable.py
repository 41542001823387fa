"""The deformable convolution against torchvision's operator and against a plain convolution."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.rounding import assert_rounded, exact_outputs, float32_tolerance
from torch import Tensor
from torch.nn import functional as F

from bustle.inference.runtimes import import_onnxruntime
from bustle.models.blocks.deformable import DeformableConv, _samples, _samples_for_export, deformable_conv

Arguments = tuple[Tensor, Tensor, Tensor, Tensor]


def arguments(
    *, size: tuple[int, int] = (11, 14), spread: float = 1.5, dtype: torch.dtype = torch.float64
) -> Arguments:
    """Features, weight, offset and mask; a large spread puts many taps outside of the map."""
    torch.manual_seed(0)
    features = torch.randn(3, 8, *size, dtype=dtype)
    weight = torch.randn(6, 8, 3, 3, dtype=dtype) / 8
    offset = spread * torch.randn(3, 18, *size, dtype=dtype)
    return features, weight, offset, torch.rand(3, 9, *size, dtype=dtype)


def value_and_gradients(operator, inputs: Arguments, *, modulated: bool) -> list[Tensor]:
    features, weight, offset, mask = (tensor.clone().requires_grad_() for tensor in inputs)
    result = operator(features, weight, offset, mask if modulated else None)
    torch.manual_seed(1)
    wanted = [features, weight, offset] + ([mask] if modulated else [])
    return [result, *torch.autograd.grad(result, wanted, torch.randn(result.shape))]


def torchvisions(features: Tensor, weight: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
    from torchvision.ops import deform_conv2d

    return deform_conv2d(features, offset, weight, padding=1, mask=mask)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.5, 20.0])
@pytest.mark.parametrize("size", [(11, 14), (16, 16), (1, 1), (5, 1)])
def test_value_and_gradients_are_torchvisions(modulated: bool, spread: float, size: tuple[int, int]):
    inputs = arguments(size=size, spread=spread)
    own = value_and_gradients(deformable_conv, inputs, modulated=modulated)
    for found, wanted in zip(own, value_and_gradients(torchvisions, inputs, modulated=modulated), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("shift", [-1.0, 1.0, 2.0])
def test_taps_on_pixels_and_on_the_border_take_the_same_side_as_torchvisions(shift: float):
    features, weight, offset, mask = arguments()
    inputs = (features, weight, torch.full_like(offset, shift), mask)
    own = value_and_gradients(deformable_conv, inputs, modulated=True)
    for found, wanted in zip(own, value_and_gradients(torchvisions, inputs, modulated=True), strict=True):
        torch.testing.assert_close(found, wanted)


def test_gradients_are_those_of_finite_differences():
    inputs = tuple(tensor.requires_grad_() for tensor in arguments(size=(3, 4)))
    assert torch.autograd.gradcheck(deformable_conv, inputs)


def test_memory_format_does_not_matter():
    inputs = arguments()
    last = tuple(tensor.contiguous(memory_format=torch.channels_last) for tensor in inputs)
    torch.testing.assert_close(deformable_conv(*inputs), deformable_conv(*last))


@pytest.mark.parametrize("modulated", [False, True])
def test_it_starts_as_a_plain_convolution(modulated: bool):
    conv = DeformableConv(8, 6, modulated=modulated)
    features = arguments()[0]
    plain = F.conv2d(features, conv.weight, padding=1)
    torch.testing.assert_close(conv(features) * (2 if modulated else 1), plain)


def test_what_is_not_finite_stays_visible():
    features, weight, offset, mask = arguments()
    offset[0, 0, 0, 0] = torch.nan
    result = deformable_conv(features, weight, offset, mask)
    assert result[0, :, 0, 0].isnan().all()
    assert result[1:].isfinite().all()


@pytest.mark.parametrize("spread", [0.0, 1.5, 20.0])
def test_the_exported_samples_are_the_same(spread: float):
    features, _, offset, mask = arguments(spread=spread)
    y, x = 4 + offset[:, :9].permute(0, 2, 3, 1), 5 + offset[:, 9:].permute(0, 2, 3, 1)
    torch.testing.assert_close(_samples_for_export(features, y, x, mask), _samples(features, y, x, mask))


def test_it_exports(tmp_path: Path):
    conv = DeformableConv(8, 6).float().eval()
    with torch.no_grad():
        conv.offset.weight.normal_(0, 0.1)
    features = arguments(dtype=torch.float32)[0]
    program = torch.export.export(conv, (features,))
    (exact,), tolerance = exact_outputs(conv, features), float32_tolerance(conv, features)
    assert exact is not None
    assert_rounded(program.module()(features).detach(), exact, tolerance=tolerance)
    onnx_program = torch.onnx.export(program, (), tmp_path / "model.onnx", external_data=False, verbose=False)
    assert "GridSample" in {node.op_type for node in onnx_program.model.graph}
    session = import_onnxruntime().InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: features.numpy()})
    assert_rounded(found, exact, tolerance=tolerance)
