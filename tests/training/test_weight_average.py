from __future__ import annotations

import torch
from torch import nn

from bustle.training.weight_average import WeightAverage


def test_average_follows_its_formula() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    average = WeightAverage(network, decay=0.5)
    expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for n in range(12):
        for parameter in network.parameters():
            parameter.data.add_(torch.randn_like(parameter))
        network(torch.randn(4, 3))  # moves the batch-norm statistics
        average.update(network)
        decay = min(0.5, (1 + n) / (10 + n))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * tensor
            else:
                expected[name] = tensor.clone()
    for name, tensor in average.network.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])
    assert not average.network.training
    assert not torch.equal(average.network[0].weight, network[0].weight)


def test_state_goes_round() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, decay=0.9)
    average.update(nn.Linear(2, 2))
    other = WeightAverage(network, decay=0.9)
    other.load_state_dict(average.state_dict())
    assert other.updates == 1
    assert torch.equal(other.network.weight, average.network.weight)
