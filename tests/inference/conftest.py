"""A network whose answer is known by hand, and run folders made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bustle.core.config import Component
from bustle.core.data_section import ImageData
from bustle.core.network import MaskMeaning, ModelSpec, MultiTaskOutput
from bustle.core.recipe import ModelSection, Recipe, save_recipe
from bustle.models import zoo


@dataclass(frozen=True, kw_only=True)
class Config:
    activation: Literal["softmax", "sigmoid"] = "softmax"
    has_mask: bool = True
    has_class: bool = True


MEANINGS = {
    "softmax": MaskMeaning(("tumour", "ring", "background"), "softmax", (0,)),
    "sigmoid": MaskMeaning(("lesion",), "sigmoid", (0,)),
}


class BrightIsLesion(nn.Module):
    """Logits: tumour `gain` x intensity (-1..1), ring -9, background 0; benign 0, malignant `malignant`."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.malignant = nn.Parameter(torch.tensor(0.0))

    def forward(self, image: Tensor) -> MultiTaskOutput:
        tumour = self.gain * image[:, :1]
        rest = torch.zeros_like(tumour)
        masks = tumour if self.config.activation == "sigmoid" else torch.cat([tumour, rest - 9, rest], dim=1)
        zero = image.new_zeros(len(image))
        classes = torch.stack([zero, zero + self.malignant], dim=1)
        return MultiTaskOutput(masks if self.config.has_mask else None, classes if self.config.has_class else None)


SPEC = ModelSpec(
    id="bright",
    title="Bright is lesion",
    citation="",
    dims=2,
    task="joint",
    config_type=Config,
    tiny=Config(),
    build=lambda config, **_: BrightIsLesion(config),
    mask_meaning=lambda config: MEANINGS[config.activation] if config.has_mask else None,
)


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a run folder: one finished fold per entry of `folds`, which holds parameter values."""
    monkeypatch.setattr(zoo, "get", lambda model_id: SPEC)

    def make(*folds: dict[str, float], config: dict[str, Any] | None = None, **data: Any) -> Path:
        run = tmp_path / "run"
        section = {"size": (64, 64), "channels": 1, "mean": (0.5,), "std": (0.5,)} | data
        recipe = Recipe(
            id="bright",
            title="Bright is lesion",
            citation="none",
            model=ModelSection(id="bright", config=config or {}),
            data=ImageData(**section),
            losses=(Component("class_cross_entropy"),),
            optimizer=Component("adam"),
            protocol="strict",
        )
        save_recipe(recipe, run / "recipe.yaml")
        for number, values in enumerate(folds or ({},)):
            network = BrightIsLesion(Config())
            state = network.state_dict() | {name: torch.tensor(value) for name, value in values.items()}
            folder = run / f"fold-{number}"
            folder.mkdir()
            save_file(state, folder / "best.safetensors")
            (folder / "metrics.json").write_text("{}")
        return run

    return make
