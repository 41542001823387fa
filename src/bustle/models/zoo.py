"""The model zoo. The folders are the registry: a file there that defines `SPEC` is a model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bustle.core.config import from_mapping
from bustle.core.errors import InputError, unknown_name
from bustle.core.types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

FOLDERS = ("papers", "baselines")


def ids() -> list[str]:
    """The ids of all models, without importing them."""
    return sorted(_modules())


def _modules() -> dict[str, str]:
    here = Path(__file__).parent
    return {
        path.stem: f"bustle.models.{folder}.{path.stem}"
        for folder in FOLDERS
        for path in (here / folder).glob("*.py")
        if not path.stem.startswith("_")
    }


def get(model_id: str) -> ModelSpec:
    """Import one model's file and return its `SPEC`; raises `InputError` for an unknown id."""
    modules = _modules()
    if model_id not in modules:
        raise unknown_name("model", model_id, modules)
    return importlib.import_module(modules[model_id]).SPEC


def build(
    model_id: str,
    config: Mapping[str, Any],
    *,
    in_channels: int,
    class_count: int,
    encoder_weights: str | None = None,
) -> nn.Module:
    """Build a network from a recipe's plain `config`, checked strictly against the model's Config.

    Raises `InputError` for encoder weights where there are none.
    """
    spec = get(model_id)
    if not spec.takes_encoder_weights and encoder_weights is not None:
        raise InputError(f"{model_id} has no published encoder weights", remedy="set model.encoder_weights=null")
    return spec.build(
        from_mapping(spec.config_type, config, where="model.config"),
        in_channels=in_channels,
        class_count=class_count,
        **({"encoder_weights": encoder_weights} if spec.takes_encoder_weights else {}),
    )
