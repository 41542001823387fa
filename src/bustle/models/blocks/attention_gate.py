"""The additive attention gate: a coarse signal decides where finer features matter.

Oktay et al., "Attention U-Net", 2018, eq. 1 and 2; Schlemper et al., "Attention gated networks", Medical Image
Analysis 2019, eq. 1. Own choice: the signal is brought to the size of the features, not the features to the size
of the signal.
"""

from __future__ import annotations

from torch import Tensor, nn

from bustle.models.blocks.decoder import resize_to


class GateLogits(nn.Module):
    """Maps features `B C h w` and a signal `B G h' w'` to ψ relu(W_x x + W_g g + b) + b_ψ, `B 1 h w`.

    `inner_channels` is the width of the sum.
    """

    def __init__(self, channels: int, signal_channels: int, *, inner_channels: int):
        super().__init__()
        self.of_features = nn.Conv2d(channels, inner_channels, 1, bias=False)
        self.of_signal = nn.Conv2d(signal_channels, inner_channels, 1)
        self.join = nn.Conv2d(inner_channels, 1, 1)

    def forward(self, features: Tensor, signal: Tensor) -> Tensor:
        signal = resize_to(self.of_signal(signal), features.shape[-2:])
        return self.join((self.of_features(features) + signal).relu())


class AttentionGate(nn.Module):
    """Maps features `B C h w` and a signal `B G h' w'` to the features times a gate in (0, 1), one per place."""

    def __init__(self, channels: int, signal_channels: int, *, inner_channels: int):
        super().__init__()
        self.logits = GateLogits(channels, signal_channels, inner_channels=inner_channels)

    def forward(self, features: Tensor, signal: Tensor) -> Tensor:
        return features * self.logits(features, signal).sigmoid()
