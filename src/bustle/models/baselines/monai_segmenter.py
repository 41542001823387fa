"""Networks of MONAI for volumes, with a class head: VNet, SegResNet, UNETR and SwinUNETR.

The class head is a linear layer on the mean of the deepest map; MONAI's networks themselves give masks only. Volumes
are padded with zeros to the network's stride and maps cropped back. UNETR has position embeddings of one size, to
which volumes of another are resized.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.core.errors import InputError
from bustle.core.network import ModelSpec, MultiTaskOutput
from bustle.models.blocks.padding import crop_to, pad_to_multiple
from bustle.models.mask_meanings import background_and_lesion

OWN_OPTIONS = ("spatial_dims", "in_channels", "out_channels")


@dataclass(frozen=True, kw_only=True)
class Config:
    """`options` go to MONAI's network (`init_filters`, `feature_size`, `img_size` of UNETR, `use_checkpoint` …).

    `classification` adds the class head, after `dropout`.
    """

    architecture: Literal["vnet", "segresnet", "unetr", "swin_unetr"] = "segresnet"
    options: Mapping[str, Any] = field(default_factory=dict)
    classification: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be at least 0 and below 1")
        if set(self.options) & set(OWN_OPTIONS):
            raise ValueError(f"options must leave {', '.join(OWN_OPTIONS)} to the recipe")
        if self.architecture == "unetr" and "img_size" not in self.options:
            raise ValueError("options of unetr need img_size, the size of the recipe's volumes")


class MonaiSegmenter(nn.Module):
    """Maps volumes `B C D H W`, from 32 voxels per side, to mask logits `B 2 D H W` and class logits `B N`."""

    def __init__(self, config: Config, *, in_channels: int, class_count: int):
        super().__init__()
        self.network = _create(config, in_channels=in_channels)
        self.deepest, width = _deepest(config, self.network)
        self.stride = _stride(config, self.network)
        self.size = None
        if config.architecture == "unetr":
            size = config.options["img_size"]
            self.size = (size,) * 3 if isinstance(size, int) else tuple(size)
        self.class_head = None
        if config.classification:
            self.class_head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(width, class_count))

    def forward(self, image: Tensor) -> MultiTaskOutput:
        size = image.shape[2:]
        fitted = pad_to_multiple(image, self.stride) if self.size is None else _resize(image, self.size)
        deepest: list[Tensor] = []
        reading = self.network.get_submodule(self.deepest).register_forward_hook(
            lambda module, inputs, output: deepest.append(output)
        )
        try:
            maps = self.network(fitted)
        finally:
            reading.remove()
        mask_logits = crop_to(maps, size) if self.size is None else _resize(maps, size)
        class_logits = None if self.class_head is None else self.class_head(_mean_features(deepest[0]))
        return MultiTaskOutput(mask_logits=mask_logits, class_logits=class_logits)


def _resize(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="trilinear", align_corners=False)


def _mean_features(deepest: Tensor) -> Tensor:
    """Mean over voxels of a map `B C d h w`, or over tokens `B T C`."""
    return deepest.mean(dim=(-3, -2, -1)) if deepest.ndim == 5 else deepest.mean(dim=1)


def _create(config: Config, *, in_channels: int) -> Any:
    from monai.networks import nets  # imported here because it takes seconds

    networks = {
        "vnet": nets.VNet,
        "segresnet": nets.SegResNet,
        "unetr": nets.UNETR,
        "swin_unetr": nets.SwinUNETR,
    }
    # Some networks read numbers back while they are built, which tensors without memory do not have.
    device = torch.get_default_device()
    try:
        with torch.device("cpu"):
            network = networks[config.architecture](
                spatial_dims=3, in_channels=in_channels, out_channels=2, **config.options
            )
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(
            f"MONAI cannot build '{config.architecture}' ({error})", remedy="change model.config or data.channels"
        ) from None
    return network.to(device)


def _deepest(config: Config, network: Any) -> tuple[str, int]:
    """The part of the network that gives its deepest map, and how many channels that has."""
    if config.architecture == "vnet":
        return "down_tr256", 256
    if config.architecture == "segresnet":
        last = len(network.blocks_down) - 1
        return f"down_layers.{last}", network.init_filters * 2**last
    if config.architecture == "unetr":
        return "vit.norm", network.hidden_size
    return "encoder10", network.encoder10.layer.conv2.conv.out_channels


def _stride(config: Config, network: Any) -> int:
    """Sizes that it divides suit the network."""
    if config.architecture == "segresnet":
        return 2 ** (len(network.blocks_down) - 1)
    return 64 if config.architecture == "swin_unetr" else 16  # twice Swin's stride: its norms need two voxels


SPEC = ModelSpec(
    id="monai_segmenter",
    title="Network of MONAI",
    citation="Cardoso et al.: MONAI: An open-source framework for deep learning in healthcare. 2022",
    dims=3,
    task="joint",
    config_type=Config,
    tiny=Config(
        options={
            "init_filters": 4,
            "norm": ["GROUP", {"num_groups": 4}],
            "blocks_down": [1, 1, 1],
            "blocks_up": [1, 1],
        }
    ),
    build=MonaiSegmenter,
    mask_meaning=background_and_lesion,
    deviations=(
        "The class head is added: MONAI's networks segment only.",
        "Sizes that the network's stride does not divide are padded with zeros, which the class head sees; UNETR "
        "takes one size, to which others are resized.",
    ),
)
