"""Test-time views: at which sizes, and whether also mirrored, a network looks at an image before it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STRIDE = 32
"""The edges of a resized input are multiples of it, which suits the strides of usual encoders."""

LEAST_SCALE, MOST_SCALE = 0.25, 4.0


@dataclass(frozen=True, kw_only=True)
class Views:
    """A network's input is shown to it resized by each of `scales`, and with `mirrored` each also left to right.

    The answer is the mean of the probabilities over all these views. Depth is never turned round: shadows fall down.
    """

    scales: tuple[float, ...] = (1.0,)
    mirrored: bool = False

    def __post_init__(self) -> None:
        if not self.scales or len(set(self.scales)) < len(self.scales):
            raise ValueError("scales must name at least one scale, and each only once")
        if not all(LEAST_SCALE <= scale <= MOST_SCALE for scale in self.scales):
            raise ValueError(f"scales must lie between {LEAST_SCALE} and {MOST_SCALE:g}")

    @property
    def is_single(self) -> bool:
        """Whether the network looks once, at its input as it is."""
        return self == Views()

    def sizes(self, size: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """What an input of `size` (height, width) is resized to, scale by scale; a scale of 1 leaves it as it is."""
        return tuple(
            tuple(size) if scale == 1 else tuple(max(1, round(edge * scale / STRIDE)) * STRIDE for edge in size)
            for scale in self.scales
        )

    def in_words(self) -> str:
        """For people, such as `sizes 1 and 1.4, mirrored too`."""
        sizes = " and ".join(f"{scale:g}" for scale in self.scales)
        words = f"size {sizes}" if len(self.scales) == 1 else f"sizes {sizes}"
        return f"{words}, mirrored too" if self.mirrored else words
