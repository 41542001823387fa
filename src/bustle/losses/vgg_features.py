"""The convolutions of VGG16 up to relu4_3, frozen, as a yardstick of a loss.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015. The network is
no part of what is trained: it stands in no checkpoint, and no optimiser sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.files import check_regular
from bustle.core.paths import given_path

LEVELS: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512))
"""Widths of the convolutions of each level; the next level starts with max pooling."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet."""
REMEDY = (
    "give the loss `weights: FILE.safetensors` with timm's or torchvision's vgg16, ask for a random one with "
    "`weights: random`, or leave the loss out"
)


class VggFeatures(nn.Module):
    """Maps grey images in 0..1, `B H W` from 8 px per side, to the last map of each of `levels` levels."""

    mean: Tensor
    std: Tensor

    def __init__(self, levels: int):
        super().__init__()
        self.levels = nn.ModuleList()
        width = 3
        for position, widths in enumerate(LEVELS[:levels]):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if position else []
            for out in widths:
                layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU()]
                width = out
            self.levels.append(nn.Sequential(*layers))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = (images.unsqueeze(1) - self.mean) / self.std
        features = []
        for level in self.levels:
            maps = level(maps)
            features.append(maps)
        return features

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """The convolutions by timm's and torchvision's names."""
        layers = [layer for level in self.levels for layer in level]  # type: ignore[union-attr]
        return {f"features.{index}": layer for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)}


def vgg_features(weights: str, *, levels: int) -> VggFeatures:
    """The features of "imagenet" (fetched by timm), of "random" (the same ones always) or of a safetensors file.

    Raises `InputError` where the weights cannot be had. Leaves the random state alone, and may be called in
    inference mode.
    """
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(0)  # torch.manual_seed would seed a GPU's generator too
        features = VggFeatures(levels)
        convolutions = features.convolutions()
        if weights == "random":
            for conv in convolutions.values():
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
                nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            return features
        names = [f"{name}.{part}" for name in convolutions for part in ("weight", "bias")]
        tensors = _fetched(names) if weights == "imagenet" else _read(given_path(weights), names)
        for name, tensor in tensors.items():
            convolution, part = name.rsplit(".", 1)
            getattr(convolutions[convolution], part).copy_(tensor)
    return features


def check_weights_file(path: Path, *, levels: int) -> None:
    """Raise `InputError` unless the file holds VGG16's convolutions; reads its header only."""
    with torch.device("meta"):
        convolutions = VggFeatures(levels).convolutions()
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            held = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError("no such weights file", remedy="check the weights of the loss", path=path) from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"is not a readable safetensors file ({error})", remedy=REMEDY, path=path) from None
    wrong = [name for name, conv in convolutions.items() if held.get(f"{name}.weight") != tuple(conv.weight.shape)]
    wrong += [name for name in convolutions if name not in wrong and f"{name}.bias" not in held]
    if wrong:
        problem = f"these are not the weights of a VGG16: {wrong[0]} is absent or of another shape"
        raise InputError(problem, remedy=REMEDY, path=path)


def _read(path: Path, names: Sequence[str]) -> Mapping[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in names}


def _fetched(names: Sequence[str]) -> Mapping[str, Tensor]:
    import timm

    try:
        tensors = timm.create_model("vgg16", pretrained=True).state_dict()
    except Exception as error:  # each transport has errors of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        problem = f"the loss lossnet needs ImageNet's VGG16, which cannot be fetched ({reason})"
        raise InputError(problem, remedy=REMEDY) from error
    return {name: tensors[name] for name in names}
