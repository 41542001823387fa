"""Mixed precision on the processor; fp16's loss scale works there as it does on a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bustle.training.precision import MixedPrecision

CPU = torch.device("cpu")


def network_with_loss(precision: MixedPrecision, *, factor: float = 0.5) -> tuple[nn.Linear, Tensor]:
    """A linear map with weights 1, and a loss whose gradient by each of them is `factor` / 4."""
    network = nn.Linear(4, 1, bias=False)
    nn.init.ones_(network.weight)
    with precision.autocast():
        loss = network(torch.full((1, 4), 0.25)).float().sum() * factor
    return network, loss


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_computes_in_the_named_type(name, dtype) -> None:
    with MixedPrecision(name, device=CPU).autocast():
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype


@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_gradients_are_clipped_at_their_true_scale(name) -> None:
    precision = MixedPrecision(name, device=CPU)
    for limit, expected in ((None, 0.125), (1.0, 0.125), (0.1, 0.05)):  # the norm of all four is 0.25
        network, loss = network_with_loss(precision)
        precision.update(torch.optim.SGD(network.parameters(), lr=1.0), loss, clip_norm=limit)
        torch.testing.assert_close(network.weight, torch.full((1, 4), 1 - expected), atol=1e-4, rtol=0)


def test_fp16_skips_an_update_with_infinite_gradients_and_lowers_its_scale() -> None:
    precision = MixedPrecision("fp16", device=CPU)
    scale = precision.state_dict()["scale"]
    network, loss = network_with_loss(precision, factor=10_000.0)  # finite, but not times the scale
    assert torch.isfinite(loss)
    precision.update(torch.optim.SGD(network.parameters(), lr=1.0), loss, clip_norm=1.0)
    assert torch.equal(network.weight, torch.ones(1, 4))
    assert precision.state_dict()["scale"] == scale / 2
    restored = MixedPrecision("fp16", device=CPU)
    restored.load_state_dict(precision.state_dict())
    assert restored.state_dict() == precision.state_dict()
