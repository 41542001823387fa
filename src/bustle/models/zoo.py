"""The model zoo. The folders are the registry: a file there that defines `SPEC` is a model.

`resolve` is where a recipe's model section becomes a network; nothing else reads `model.config`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bustle.core.config import from_mapping
from bustle.core.errors import InputError, unknown_name
from bustle.core.network import MaskMeaning, ModelSpec
from bustle.core.paths import given_path
from bustle.core.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

FOLDERS = ("papers", "baselines")


def ids() -> list[str]:
    """The ids of all models, without importing them."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    here = Path(__file__).parent
    return {
        file.stem: file
        for folder in FOLDERS
        for file in (here / folder).glob("*.py")
        if not file.stem.startswith("_")
    }


def get(model_id: str) -> ModelSpec:
    """Import one model's file and return its `SPEC`; raises `InputError` for an unknown id."""
    return importlib.import_module(f"bustle.models.{path(model_id).parent.name}.{model_id}").SPEC


def path(model_id: str) -> Path:
    """One model's file; raises `InputError` for an unknown id."""
    files = _files()
    if model_id not in files:
        raise unknown_name("model", model_id, files)
    return files[model_id]


@dataclass(frozen=True, kw_only=True)
class ResolvedNetwork:
    """A recipe's network: its `spec`, its checked settings, and all that follows from the two.

    `mask_meaning`, `map_meanings` and `without_gradient` are what the spec says of `config`. `encoder_weights` are
    those that a training starts from.
    """

    spec: ModelSpec
    config: Any
    in_channels: int
    classes: tuple[str, ...]
    encoder_weights: str | None
    refinements: int
    prob_weight: float
    mask_meaning: MaskMeaning | None
    map_meanings: Mapping[str, MaskMeaning]
    without_gradient: tuple[str, ...]

    def check_encoder_weights(self) -> None:
        """Raises `InputError` for weights to start from that the network does not take, or a file that is absent."""
        _check_taken(self.spec, self.encoder_weights)
        if self.encoder_weights not in (None, "imagenet") and not given_path(self.encoder_weights).is_file():
            raise InputError("no such file", remedy="check model.encoder_weights", path=self.encoder_weights)

    def build(self, *, encoder_weights: str | None = None) -> nn.Module:
        """The plain network, without its refinements, with random or the given encoder weights.

        Raises `InputError` for settings that no network can have, and weights that it cannot take.
        """
        return _build(
            self.spec,
            self.config,
            in_channels=self.in_channels,
            class_count=len(self.classes),
            encoder_weights=encoder_weights,
        )


def resolve(recipe: Recipe) -> ResolvedNetwork:
    """Look up and check the recipe's network; raises `InputError` for an unknown one, or settings that it lacks."""
    spec = get(recipe.model.id)
    config = _settings(spec, recipe.model.config)
    return ResolvedNetwork(
        spec=spec,
        config=config,
        in_channels=recipe.data.channels,
        classes=recipe.data.classes,
        encoder_weights=recipe.model.encoder_weights,
        refinements=recipe.model.refinements,
        prob_weight=recipe.model.prob_weight,
        mask_meaning=spec.mask_meaning(config),
        map_meanings=spec.map_meanings(config),
        without_gradient=spec.without_gradient(config),
    )


def build(
    model_id: str,
    config: Mapping[str, Any],
    *,
    in_channels: int,
    class_count: int,
    encoder_weights: str | None = None,
) -> nn.Module:
    """Build a network without a recipe, from plain `config`, checked strictly against the model's Config.

    Raises `InputError` for encoder weights where there are none.
    """
    spec = get(model_id)
    return _build(
        spec,
        _settings(spec, config),
        in_channels=in_channels,
        class_count=class_count,
        encoder_weights=encoder_weights,
    )


def _settings(spec: ModelSpec, config: Mapping[str, Any]) -> Any:
    return from_mapping(spec.config_type, config, where="model.config")


def _build(
    spec: ModelSpec, config: Any, *, in_channels: int, class_count: int, encoder_weights: str | None
) -> nn.Module:
    _check_taken(spec, encoder_weights)
    weights = {"encoder_weights": encoder_weights} if spec.takes_encoder_weights else {}
    return spec.build(config, in_channels=in_channels, class_count=class_count, **weights)


def _check_taken(spec: ModelSpec, encoder_weights: str | None) -> None:
    if encoder_weights is not None and not spec.takes_encoder_weights:
        raise InputError(f"{spec.id} has no published encoder weights", remedy="set model.encoder_weights=null")
