"""Runs trained networks with PyTorch; the only file of inference that imports torch, and only when called."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bustle.core.errors import InputError
from bustle.core.network import Head, MaskMeaning, MultiTaskOutput
from bustle.core.recipe import Recipe
from bustle.inference.backend import GradientMethod, NetworkOutput, finite
from bustle.models import zoo
from bustle.models.device import channels_last_format, find_device

if TYPE_CHECKING:
    import torch
    from torch import nn


class TorchBackend:
    """One network, or several of one recipe (the folds) whose probabilities are averaged, over the recipe's views.

    The answers of heads that are `untrained` are left out.
    """

    def __init__(
        self, recipe: Recipe, *, weights: Sequence[Path], device: str = "auto", untrained: Collection[Head] = ()
    ):
        """Raises `InputError` for weights that are missing, broken or of another network, or an absent device."""
        import torch

        from bustle.models.class_maps import offers_class_maps
        from bustle.models.refinement import refined

        self.runtime = f"PyTorch {torch.__version__}"
        resolved = zoo.resolve(recipe)
        self._recipe = recipe
        self.mask_meaning = None if "mask" in untrained else resolved.mask_meaning
        self._map_meanings = {} if "mask" in untrained else resolved.map_meanings
        self._gives_classes = "class" not in untrained
        self._device = find_device(device)
        self._views = recipe.views
        self._networks = [refined(load_network(resolved, path), resolved).to(self._device) for path in weights]
        self.gives_class_maps = self._gives_classes and all(map(offers_class_maps, self._networks))

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Probabilities for normalised images `B C h w`. Raises `InputError` where the output is not a number."""
        import torch

        from bustle.models.views import answers_to_views

        with torch.inference_mode():
            batch = self._on_device(images)
            outputs = [
                answer for network in self._networks for answer in answers_to_views(network, batch, self._views)
            ]
            masks, classes = mean_probabilities(outputs, self.mask_meaning, gives_classes=self._gives_classes)
        return NetworkOutput(*(None if mean is None else finite(mean.cpu().numpy()) for mean in (masks, classes)))

    def class_maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each cell adds to the class logits, `B N *s`; raises as `run`."""
        import torch

        from bustle.models.views import answers_with_class_maps

        with torch.inference_mode():
            batch = self._on_device(images)
            maps = [answers_with_class_maps(network, batch, self._views)[1] for network in self._networks]
            return finite(torch.stack(maps).mean(dim=0).float().cpu().numpy())

    @property
    def gives_class_features(self) -> bool:
        """Whether the class logits of all networks are made by linear layers."""
        from bustle.models.class_features import class_layers

        count = len(self._recipe.data.classes)
        return self._gives_classes and all(class_layers(network, class_count=count) for network in self._networks)

    def class_features(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the class logits are made of, `B F`: the mean over views, of several networks beside each other.

        For a backend that `gives_class_features`; raises as `run`.
        """
        import torch

        from bustle.models.class_features import mean_class_features

        with torch.inference_mode():
            batch = self._on_device(images)
            class_count = len(self._recipe.data.classes)
            found = [
                mean_class_features(network, batch, self._views, class_count=class_count)
                for network in self._networks
            ]
            return finite(torch.cat(found, dim=1).float().cpu().numpy())

    @cached_property
    def gives_gradients(self) -> bool:
        """Whether there are classes to explain, which is seen on one black image."""
        import torch

        if not self._gives_classes:
            return False
        data = self._recipe.data
        with torch.inference_mode():
            black = self._on_device(np.zeros((1, data.channels, *data.size), np.float32))
            return self._networks[0](black).class_logits is not None

    def attribution(self, images: NDArray[np.float32], *, method: GradientMethod, index: int) -> NDArray[np.float32]:
        """What moved the class `index`, the mean of the networks' maps `B *s`; raises as `run`.

        Of integrated gradients the mean over the pixels is the difference of scores that they explain.
        """
        import torch

        from bustle.models.attribution import grad_cam, integrated_gradients
        from bustle.models.views import mean_over_views

        explained = {"gradcam": grad_cam, "integrated_gradients": integrated_gradients}[method]
        batch = self._on_device(images)
        maps = [
            mean_over_views(partial(explained, network, index=index), batch, self._views)
            for network in self._networks
        ]
        found = torch.stack(maps).mean(dim=0)
        if method == "integrated_gradients":
            found = found * found[0].numel()
        return finite(found.float().cpu().numpy())

    def channel_maps(self, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """All maps that the networks make by themselves, of several the means, `B *s` by name; raises as `run`."""
        import torch

        from bustle.models.channel_maps import channel_maps

        with torch.inference_mode():
            batch = self._on_device(images)
            each = [channel_maps(network, batch, meanings=self._map_meanings) for network in self._networks]
        means = {name: torch.stack([maps[name] for maps in each]).mean(dim=0) for name in each[0]}
        return {name: finite(mean.float().cpu().numpy()) for name, mean in means.items()}

    def shuffled(self, *, seed: int) -> TorchBackend:
        """The same with the entries of every weight in another order."""
        from bustle.models.shuffled import shuffled

        other = copy(self)
        other._networks = [shuffled(network, seed=seed) for network in self._networks]
        return other

    def _on_device(self, images: NDArray[np.float32]) -> torch.Tensor:
        import torch

        return torch.from_numpy(images).to(self._device, memory_format=channels_last_format(images.ndim))


def mean_probabilities(
    outputs: Sequence[MultiTaskOutput], meaning: MaskMeaning | None, *, gives_classes: bool
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Of the mask channels `B K h w` and the classes `B N`: the mean over networks of one recipe and their views.

    None where the networks have no such head, and where nothing trained it: no `meaning`, or not `gives_classes`.
    """
    masks, classes = [], []
    for output in outputs:
        if output.mask_logits is not None and meaning is not None:
            masks.append(meaning.channel_probabilities(output.mask_logits))
        if output.class_logits is not None and gives_classes:
            classes.append(output.class_logits.float().softmax(dim=1))
    return _mean(masks), _mean(classes)


def _mean(tensors: Sequence[torch.Tensor]) -> torch.Tensor | None:
    return sum(tensors[1:], start=tensors[0]) / len(tensors) if tensors else None


def load_network(resolved: zoo.ResolvedNetwork, weights: Path) -> nn.Module:
    """The recipe's network with the weights of a safetensors file, every name and shape matching, in eval mode.

    It is the plain network, without the recipe's refinements.
    """
    import torch

    from bustle.models.weight_file import read_weights

    tensors = read_weights(weights)
    with torch.random.fork_rng(devices=[]):  # its random weights are not kept, nor is what was drawn for them
        network = resolved.build()
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(
            f"does not fit the network of its recipe ({_first_mismatch(error)})",
            remedy="keep recipe.yaml and the weights of one run together",
            path=weights,
        ) from None
    memory_format = channels_last_format(2 + resolved.spec.dims)
    return network.eval().to(memory_format=memory_format)  # type: ignore[call-overload]


def _first_mismatch(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    return lines[0][:160] if lines else str(error)[:160]
