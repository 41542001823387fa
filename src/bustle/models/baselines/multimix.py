"""MultiMix: a small U-Net whose decoder sees where the class score is sensitive to the image.

Haque, Imran, Wang, Terzopoulos, "MultiMix: Sparingly-Supervised, Extreme Multitask Learning from Medical Images",
ISBI 2021, with the layout of its released code: instance norm and leaky ReLU, a class head on the pooled deepest map,
and the saliency bridge - the absolute gradient of the highest class score with respect to the image, joined with the
image itself at the decoder's first stage. The semi-supervised part is the training step `multimix`.

Own choices: one encoder pass serves the saliency, the classes and the mask, so that the saliency is taken under the
same dropout; the code takes it from a second pass without dropout. As in the code it is a constant for the decoder:
no gradient flows back through it. Instance norms learn a scale and a shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.concat_decoder import ConcatDecoder
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.mean_pooled_head import MeanPooledLinear
from bustle.models.blocks.unet import ConvStyle, UNetEncoder
from bustle.models.mask_meanings import one_lesion_channel


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `widths`: the channels of the levels, fine to coarse. `leaky_slope` of the leaky ReLU; `dropout` ends each double
    convolution. `saliency_bridge` False joins neither saliency nor image.
    """

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    leaky_slope: float = 0.2
    dropout: float = 0.25
    saliency_bridge: bool = True

    def __post_init__(self) -> None:
        if not 2 <= len(self.widths) <= 5 or min(self.widths) < 1:
            raise ValueError("widths must be 2 to 5 numbers of at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if self.leaky_slope < 0:
            raise ValueError("leaky_slope must not be negative")


class MultiMix(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 1 H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        style = ConvStyle(
            norm="instance", activation="leaky_relu", leaky_slope=config.leaky_slope, dropout=config.dropout
        )
        self.saliency_bridge = config.saliency_bridge
        self.encoder = UNetEncoder(in_channels, config.widths, style=style)
        self.decoder = ConcatDecoder(
            config.widths,
            config.widths[-2::-1],
            bridge_channels=2 * in_channels if config.saliency_bridge else 0,
            style=style,
        )
        self.mask_head = nn.Conv2d(config.widths[0], 1, 1)
        self.class_head = MeanPooledLinear(config.widths[-1], class_count)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        if not self.saliency_bridge:
            features, class_logits = self._encoded(image)
            return self._decoded(features, class_logits, bridge=None)
        keep_graph = torch.is_grad_enabled()
        # The saliency needs a gradient whatever the caller's mode is, and in inference mode a tensor that is not its.
        with torch.inference_mode(False), torch.enable_grad():
            watched = image.detach().clone().requires_grad_()
            features, class_logits = self._encoded(watched.clone())  # FLOP counters take no leaf that is watched
            top = class_logits.amax(dim=1).sum()  # cases do not see each other, so each gets its own gradient
            (gradient,) = torch.autograd.grad(top, watched, retain_graph=keep_graph)
        if not keep_graph:  # the graph was the saliency's alone
            features, class_logits = [f.detach() for f in features], class_logits.detach()
        return self._decoded(features, class_logits, bridge=torch.cat([image, gradient.abs()], dim=1))

    def _encoded(self, image: Tensor) -> tuple[list[Tensor], Tensor]:
        features = self.encoder(image)
        return features, self.class_head(F.max_pool2d(features[-1], 2))

    def _decoded(self, features: list[Tensor], class_logits: Tensor, *, bridge: Tensor | None) -> MultiTaskOutput:
        mask_logits = resize_to(self.mask_head(self.decoder(features, bridge=bridge)), features[0].shape[-2:])
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


SPEC = ModelSpec(
    id="multimix",
    title="MultiMix",
    citation="Haque, Imran, Wang, Terzopoulos: MultiMix: Sparingly-Supervised, Extreme Multitask Learning from "
    "Medical Images. ISBI 2021",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(widths=(8, 16, 24, 32, 48)),
    build=MultiMix,
    mask_meaning=one_lesion_channel,
    deviations=(
        "It cannot be exported: the saliency bridge is a gradient with respect to the input.",
        "The saliency comes from the same encoder pass as the classes and the mask, dropout included; the released "
        "code takes it from a pass of its own without dropout.",
        "Instance norms learn a scale and a shift; those of the released code do not.",
    ),
    exports=False,
)
