"""What a network gives, what its mask channels mean, and what the toolkit knows of it.

Tensors appear only as annotations, so that this module never imports torch; their axes are `B C (D) H W`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

Task = Literal["seg", "cls", "joint"]

Head = Literal["mask", "class"]
"""A part of a network with an answer of its own."""


class MultiTaskOutput(NamedTuple):
    """What every network returns, in training and in evaluation: logits only.

    `mask_logits` `B K *S` always has the input's spatial size; `class_logits` `B N`. `aux_masks` and `extras` are
    named intermediate tensors for a loss that the recipe names.
    """

    mask_logits: Tensor | None
    class_logits: Tensor | None
    aux_masks: dict[str, Tensor] = {}  # noqa: RUF012  (a NamedTuple default; never written to)
    extras: dict[str, Tensor] = {}  # noqa: RUF012


KeepMaps = Callable[["Tensor"], None]
"""Takes class maps `B N *s` on their way."""


@runtime_checkable
class AdditiveClassHead(Protocol):
    """A network's `class_head` in which each cell of the features adds a known part to the class logits.

    Called with `keep_maps`, a function, the head gives it the `class_maps` of the features that it pools.
    """

    def class_maps(self, *features: Tensor) -> Tensor:
        """Each cell's part in evaluation, `B N *s`.

        Its sum over the cells is the class logits but for a constant, which is the same for every image.
        """
        ...


@runtime_checkable
class ShowsAttention(Protocol):
    """A network that gives what its attentions and gates let through, place by place, beside its logits."""

    def attention_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Of images `B C *S` the maps `B *s` in 0..1 by name, each on the grid that the network has it on.

        They are those that its answer is computed with; empty where the configuration has none of them.
        """
        ...


@runtime_checkable
class ShowsStages(Protocol):
    """A network that gives how strongly its stages answer, place by place."""

    def stage_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Of images `B C *S` a map `B *s` in 0..1 of every stage by name, each on the stage's own grid."""
        ...


@dataclass(frozen=True)
class MaskMeaning:
    """How mask logits become a lesion probability map and a lesion mask; nothing else in the toolkit decides it.

    `softmax` or `sigmoid` over the K `channels` gives their probabilities, of which `lesion_channels` are the lesion.
    The two rules take the probabilities of all channels in order, one array or tensor of any shape each: an array
    `K *S` as it is, a tensor `B K *S` by `unbind(dim=1)`.
    """

    channels: tuple[str, ...]
    activation: Literal["softmax", "sigmoid"]
    lesion_channels: tuple[int, ...]

    def __post_init__(self) -> None:
        known = range(len(self.channels))
        if len(set(self.lesion_channels)) < len(self.lesion_channels) or not set(self.lesion_channels) <= {*known}:
            raise ValueError(f"lesion_channels must be some of 0 to {len(self.channels) - 1}, each only once")

    def channel_probabilities(self, mask_logits: Tensor) -> Tensor:
        """The probabilities, float32 or better, of the channels of mask logits `B K *S`."""
        logits = mask_logits if mask_logits.dtype.itemsize >= 4 else mask_logits.float()
        return logits.softmax(dim=1) if self.activation == "softmax" else logits.sigmoid()

    def lesion_map(self, mask_logits: Tensor) -> Tensor:
        """The lesion probability `B *S`, float32 or better, of mask logits `B K *S`."""
        return self.lesion_probability(self.channel_probabilities(mask_logits).unbind(dim=1))

    @overload
    def lesion_probability(self, channels: NDArray[np.float32]) -> NDArray[np.float32]: ...
    @overload
    def lesion_probability(self, channels: Sequence[Tensor]) -> Tensor: ...
    def lesion_probability(self, channels: Any) -> Any:
        """The sum of the lesion channels, which rounding may leave a little above 1."""
        return reduce(operator.add, [channels[lesion] for lesion in self.lesion_channels])

    @overload
    def lesion_mask(self, channels: NDArray[np.float32]) -> NDArray[np.bool_]: ...
    @overload
    def lesion_mask(self, channels: Sequence[Tensor]) -> Tensor: ...
    def lesion_mask(self, channels: Any) -> Any:
        """Where a lesion channel exceeds all others (`softmax`), or the lesion probability 0.5 (`sigmoid`)."""
        if self.activation == "sigmoid":
            return self.lesion_probability(channels) > 0.5
        others = [channel for channel in range(len(self.channels)) if channel not in self.lesion_channels]
        greatest = [
            reduce(operator.and_, [channels[lesion] > channels[other] for other in others])
            for lesion in self.lesion_channels
        ]
        return reduce(operator.or_, greatest)


@dataclass(frozen=True)
class ModelSpec:
    """All that the toolkit needs to know about a network; every zoo file defines one as `SPEC`.

    `config_type` is a frozen dataclass; `tiny` an instance of it that is small enough for fast tests.
    `build(config, in_channels=…, class_count=…)` returns a module that maps float `B C *S` to `MultiTaskOutput`. With
    `takes_encoder_weights` it has a further argument `encoder_weights`, from which its encoder starts: None (random),
    "imagenet" or the path of a safetensors file; networks of which nobody has published any go without.
    `mask_meaning(config)` is None for a network without a mask; `map_meanings(config)` are the meanings of its
    `aux_masks` by name. `without_gradient` lists parameter name prefixes that are declared never to receive one
    (a kept but unused layer). `exports` False: the network cannot be exported, for a reason among `deviations`.
    """

    id: str
    title: str
    citation: str
    dims: Literal[2, 3]
    task: Task
    config_type: type
    tiny: Any
    build: Callable[..., nn.Module]
    mask_meaning: Callable[[Any], MaskMeaning | None]
    deviations: tuple[str, ...] = ()
    map_meanings: Callable[[Any], Mapping[str, MaskMeaning]] = lambda config: {}
    without_gradient: Callable[[Any], tuple[str, ...]] = lambda config: ()
    takes_encoder_weights: bool = False
    exports: bool = True
