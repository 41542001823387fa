"""CTG-Net: a coarse map guides the class, the class and the gland guide the fine map.

Yang, Suzuki, Ye, Nosato, Izumori, Sakanashi, "CTG-Net: Cross-task guided network for breast ultrasound diagnosis",
PLoS ONE 17(8), 2022. One class covers the paper's ablations: the lesion attention module (`lam_terms`), the
anatomical knowledge guided module (`akgm`) and the category selection module (`csm`), with and without a map of the
mammary gland (`gland`).

Own choices where the paper is silent or contradicts itself: VGG16 without batch norm and without its last pooling,
so that four up-samplings return to the input's size; probability maps reach the attention modules by averaging over
each cell of the shared features; one vector per class, scored by one shared linear layer; eq. 5 read so that class
vectors are compared with the features (`csm: similarity`, as the recipes have it) or spread over space by class maps
(`spread`); queries and keys have an eighth of the channels, as in the dual attention network that the paper cites;
without gland masks M_m is 1 everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.models.blocks.aspp import AtrousPyramid
from bustle.models.blocks.decoder import resize_to
from bustle.models.blocks.encoder import Encoder, build_encoder

DEEPEST_STRIDE = 16
LamTerm = Literal["shared", "lesion", "gland"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """The network's switches.

    `backbone`: any timm `features_only` encoder, with `backbone_options` for timm (for example `pad_type`); its
    deepest map of at most stride 16 is used, and nothing behind it is kept. `width`: channels D of the shared
    features F' and of a class vector. `decoder_channels`: widths after each doubling of the resolution, the same
    for both decoders; four of them return to the input's size.
    `gland`: `given` predicts gland, lesion and background, for data with gland masks; `none` predicts lesion and
    background, and takes every place for gland. `gland_for_attention`: whether M_m holds the lesion too.
    `lam_terms`: what eq. 1 sums, F' (`shared`), F_la (`lesion`) and F_ma (`gland`).
    `akgm`: self-attention within the gland; `query_reduction` divides the channels of queries and keys;
    `attn_scale` `sqrt_d` divides their product by the root of their channels.
    `csm`: `spread` multiplies class vectors (D x C) with class maps (C x HW); `similarity` class vectors (C x D)
    with features (D x HW); `none` leaves the module out. `csm_norm` `softmax` normalises these maps over the classes.
    """

    backbone: str = "vgg16"
    backbone_options: Mapping[str, Any] = field(default_factory=dict)
    width: int = 256
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32)
    gland: Literal["none", "given"] = "none"
    gland_for_attention: Literal["gland", "gland_plus_lesion"] = "gland"
    lam_terms: tuple[LamTerm, ...] = ("shared", "lesion", "gland")
    akgm: bool = True
    query_reduction: int = 8
    attn_scale: Literal["none", "sqrt_d"] = "none"
    csm: Literal["spread", "similarity", "none"] = "spread"
    csm_norm: Literal["none", "softmax"] = "none"

    def __post_init__(self) -> None:
        if not self.lam_terms or len(set(self.lam_terms)) != len(self.lam_terms):
            raise ValueError("lam_terms must name at least one term, and each only once")
        if not self.decoder_channels or min(self.decoder_channels) < 1:
            raise ValueError("decoder_channels must name at least one width, all at least 1")
        if self.query_reduction < 1 or self.width < self.query_reduction:
            raise ValueError("query_reduction must be at least 1 and at most width")


def mask_meaning(config: Config) -> MaskMeaning:
    """Softmax over lesion and background: the fine map."""
    return MaskMeaning(channels=("lesion", "background"), activation="softmax", lesion_channels=(0,))


def map_meanings(config: Config) -> Mapping[str, MaskMeaning]:
    """The coarse map: a partition into (gland,) lesion and the rest."""
    channels = ("gland", "lesion", "background") if config.gland == "given" else ("lesion", "background")
    lesion = channels.index("lesion")
    return {"coarse": MaskMeaning(channels=channels, activation="softmax", lesion_channels=(lesion,))}


class PlainDecoder(nn.Module):
    """Doubles the resolution with every width of `channels`, two convolutions each, then maps to `out_channels`."""

    def __init__(self, in_channels: int, out_channels: int, *, channels: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = []
        width = in_channels
        for wanted in channels:
            layers.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
            layers += [*_conv_norm_relu(width, wanted), *_conv_norm_relu(wanted, wanted)]
            width = wanted
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, out_channels, 1))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


def _conv_norm_relu(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]


class ClassVectors(nn.Module):
    """Pooled features `B D` to one vector per class `B C D` and their scores `B C` (G_global, and H as logits)."""

    def __init__(self, width: int, *, class_count: int):
        super().__init__()
        self.vectors = nn.Linear(width, class_count * width)
        self.score = nn.Linear(width, 1)
        self.shape = (class_count, width)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.vectors(pooled).unflatten(1, self.shape)
        return vectors, self.score(vectors).squeeze(-1)


class CategorySelection(nn.Module):
    """CSM, eq. 5: class vectors, weighted by the predicted probabilities, times a projection of the features.

    `out_channels` is the vectors' width for `spread`, the number of classes for `similarity`.
    """

    def __init__(self, width: int, *, class_count: int, reading: Literal["spread", "similarity"], softmax: bool):
        super().__init__()
        self.reading = reading
        self.softmax = softmax
        self.vectors = nn.Linear(width, width)  # the 1x1 convolution of G_global
        self.maps = nn.Conv2d(width, class_count if reading == "spread" else width, 1)
        self.out_channels = width if reading == "spread" else class_count

    def forward(self, shared: Tensor, vectors: Tensor, probability: Tensor) -> Tensor:
        """`shared` `B D H W`, `vectors` `B C D`, `probability` `B C`."""
        weighted = self.vectors(vectors) * probability.unsqueeze(-1)
        maps = self.maps(shared)
        if self.reading == "spread":
            maps = maps.softmax(dim=1) if self.softmax else maps
            return torch.einsum("bcd,bchw->bdhw", weighted, maps)
        similar = torch.einsum("bcd,bdhw->bchw", weighted, maps)
        return similar.softmax(dim=1) if self.softmax else similar


class AnatomicalAttention(nn.Module):
    """AKGM, eqs. 6 and 7: a softmax((Q M_m)(K M_m)^T) V + F', with the learned scalar a starting at 0.

    Where M_m is 0 a query is the zero vector, which attends everywhere alike: it is not suppressed.
    """

    def __init__(self, width: int, *, query_width: int, scaled: bool):
        super().__init__()
        self.query = nn.Conv2d(width, query_width, 1)
        self.key = nn.Conv2d(width, query_width, 1)
        self.value = nn.Conv2d(width, width, 1)
        self.amount = nn.Parameter(torch.zeros(1))
        self.scale = query_width**-0.5 if scaled else 1.0

    def forward(self, shared: Tensor, gland: Tensor | None) -> Tensor:
        """`shared` `B D H W`; `gland` M_m `B 1 H W`, None = 1 everywhere."""
        query, key = self.query(shared), self.key(shared)
        if gland is not None:
            query, key = query * gland, key * gland
        # Fused, so that the HW x HW similarities of a large image need not be stored where the device can avoid it.
        attended = F.scaled_dot_product_attention(
            _tokens(query), _tokens(key), _tokens(self.value(shared)), scale=self.scale
        )
        return self.amount * attended.squeeze(1).transpose(1, 2).reshape(shared.shape) + shared


def _tokens(maps: Tensor) -> Tensor:
    """`B C H W` to one head of tokens, `B 1 HW C`."""
    return maps.flatten(2).transpose(1, 2).unsqueeze(1)


class CtgNet(nn.Module):
    """Maps images `B C H W`, from 32 px per side, to mask logits `B 2 H W` and class logits `B N`.

    `aux_masks["coarse"]` holds the coarse map's logits at the input's size.
    """

    def __init__(self, config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None):
        super().__init__()
        width = config.width
        self.lam_terms = config.lam_terms
        self.channels = map_meanings(config)["coarse"].channels
        self.gland_holds_lesion = config.gland_for_attention == "gland_plus_lesion"
        self.cell = 2 ** len(config.decoder_channels)
        self.encoder = _stride_16_encoder(config, in_channels=in_channels, weights=encoder_weights)
        self.aspp = AtrousPyramid(self.encoder.channels[-1], width)
        self.coarse_decoder = PlainDecoder(width, len(self.channels), channels=config.decoder_channels)
        self.class_head = ClassVectors(width, class_count=class_count)
        self.akgm = None
        if config.akgm:
            self.akgm = AnatomicalAttention(
                width, query_width=width // config.query_reduction, scaled=config.attn_scale == "sqrt_d"
            )
        self.csm = None
        if config.csm != "none":
            softmax = config.csm_norm == "softmax"
            self.csm = CategorySelection(width, class_count=class_count, reading=config.csm, softmax=softmax)
        fine_width = (0 if self.csm is None else self.csm.out_channels) + (0 if self.akgm is None else width)
        self.fine_decoder = PlainDecoder(fine_width or width, 2, channels=config.decoder_channels)

    def forward(self, image: Tensor) -> MultiTaskOutput:
        shared = self.aspp(self.encoder(image)[-1])
        coarse = self.coarse_decoder(shared)
        gland, lesion = self._attention_maps(coarse)
        vectors, class_logits = self.class_head(self._lesion_attention(shared, gland, lesion).mean(dim=(-2, -1)))
        parts = []
        if self.csm is not None:
            parts.append(self.csm(shared, vectors, class_logits.softmax(dim=1)))
        if self.akgm is not None:
            parts.append(self.akgm(shared, gland))
        fine = self.fine_decoder(torch.cat(parts, dim=1) if parts else shared)
        size = image.shape[-2:]
        return MultiTaskOutput(
            mask_logits=resize_to(fine, size),
            class_logits=class_logits,
            aux_masks={"coarse": resize_to(coarse, size)},
        )

    def _attention_maps(self, coarse: Tensor) -> tuple[Tensor | None, Tensor]:
        """M_m (None = 1 everywhere) and M_l, `B 1 h w` on the grid of the shared features."""
        probability = F.avg_pool2d(coarse.softmax(dim=1), self.cell)
        maps = dict(zip(self.channels, probability.split(1, dim=1), strict=True))
        gland = maps.get("gland")
        if gland is not None and self.gland_holds_lesion:
            gland = gland + maps["lesion"]
        return gland, maps["lesion"]

    def _lesion_attention(self, shared: Tensor, gland: Tensor | None, lesion: Tensor) -> Tensor:
        """LAM, eqs. 1 to 3."""
        terms: dict[str, Tensor] = {
            "shared": shared,
            "lesion": shared * lesion,
            "gland": shared if gland is None else shared * gland,
        }
        return torch.stack([terms[name] for name in self.lam_terms]).sum(dim=0)


def _stride_16_encoder(config: Config, *, in_channels: int, weights: str | None) -> Encoder:
    """An encoder that ends with its deepest map of at most stride 16; of VGG16 only the last pooling is cut off."""
    options = dict(config.backbone_options)
    with torch.device("meta"):
        whole = build_encoder(config.backbone, in_channels=in_channels, options=options)
    fitting = [index for index, stride in enumerate(whole.reductions) if stride <= DEEPEST_STRIDE]
    if not fitting:
        raise InputError(
            f"backbone '{config.backbone}' has no map of stride {DEEPEST_STRIDE} or finer",
            remedy="choose another model.config.backbone, such as vgg16, a ResNet or a MobileNet",
        )
    options["out_indices"] = [options.get("out_indices", range(len(whole.reductions)))[index] for index in fitting]
    encoder = build_encoder(config.backbone, in_channels=in_channels, weights=weights, options=options)
    _drop_later_blocks(encoder.body)
    return encoder


def _drop_later_blocks(body: nn.Module) -> None:
    """Drop MobileNet and EfficientNet blocks that timm keeps, and runs, though no map behind them is asked for."""
    info: Any = body.feature_info
    stage, _, last = info.module_name()[-1].partition(".")
    blocks = getattr(body, "blocks", None)
    if stage == "blocks" and isinstance(blocks, nn.Sequential):
        body.blocks = blocks[: int(last) + 1]


def build(config: Config, *, in_channels: int, class_count: int, encoder_weights: str | None = None) -> CtgNet:
    return CtgNet(config, in_channels=in_channels, class_count=class_count, encoder_weights=encoder_weights)


SPEC = ModelSpec(
    id="ctg_net",
    title="CTG-Net",
    citation="Yang, Suzuki, Ye, Nosato, Izumori, Sakanashi: CTG-Net: Cross-task guided network for breast "
    "ultrasound diagnosis. PLoS ONE 17(8), 2022",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(backbone="test_resnet", width=32, decoder_channels=(24, 16, 12, 8), gland="given"),
    build=build,
    takes_encoder_weights=True,
    mask_meaning=mask_meaning,
    map_meanings=map_meanings,
    deviations=(
        "Published results on public data do not say where the gland masks came from: without gland masks the coarse "
        "map has two channels and M_m is 1 everywhere, which makes the gland-guided attention plain self-attention.",
        "Eq. 5 allows two readings of the category selection; the default spreads class vectors over space.",
        "G_global is both the class scores and a matrix of class vectors in the paper: here one vector per class, "
        "all scored by the same linear layer.",
        "Queries and keys have an eighth of the channels; their product is not scaled, as printed.",
        "The probability maps are averaged over each cell of the 16 times smaller feature grid.",
        "VGG16 has no batch norm and loses its last pooling; the widths of the decoders are not stated.",
        "Maps of sizes that the strides do not divide are resized bilinearly; the paper's input size is not stated.",
    ),
)
