"""The additive attention gate against the printed equation (Oktay et al. 2018, eq. 1 and 2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bustle.models.blocks.attention_gate import AttentionGate


def gate_and_inputs(*, signal_size: tuple[int, int] = (6, 4)) -> tuple[AttentionGate, Tensor, Tensor]:
    torch.manual_seed(0)
    gate = AttentionGate(3, 5, inner_channels=4)
    return gate, torch.randn(2, 3, 6, 4), torch.randn(2, 5, *signal_size)


def weights_of(gate: AttentionGate) -> dict[str, np.ndarray]:
    return {name: value.numpy().squeeze() for name, value in gate.logits.state_dict().items()}


def test_the_gate_equals_the_printed_equation():
    gate, features, signal = gate_and_inputs()
    w = weights_of(gate)
    found = gate(features, signal).detach().numpy()
    for case, y, x in np.ndindex(2, 6, 4):
        at, led = features[case, :, y, x].numpy(), signal[case, :, y, x].numpy()
        hidden = np.maximum(w["of_features.weight"] @ at + w["of_signal.weight"] @ led + w["of_signal.bias"], 0)
        alpha = 1 / (1 + np.exp(-(w["join.weight"] @ hidden + w["join.bias"])))
        assert 0 < alpha < 1
        np.testing.assert_allclose(found[case, :, y, x], alpha * at)


def test_a_coarse_signal_leads_all_places():
    """A signal of one place is the same everywhere, whatever the size of the features."""
    gate, features, signal = gate_and_inputs(signal_size=(1, 1))
    everywhere = signal.expand(-1, -1, 6, 4)
    torch.testing.assert_close(gate(features, signal), gate(features, everywhere))


def test_gates_let_through_less_than_everything():
    gate, features, signal = gate_and_inputs(signal_size=(3, 2))
    gates = gate.logits(100 * features, signal).sigmoid()
    assert gates.shape == (2, 1, 6, 4)
    assert 0 <= gates.min() < gates.max() <= 1
    assert (gate(features, signal).abs() < features.abs()).all()


def test_the_parameters_are_those_of_three_1x1_convolutions():
    gate, *_ = gate_and_inputs()
    assert sum(p.numel() for p in gate.parameters()) == 3 * 4 + (5 * 4 + 4) + (4 + 1)
