"""What is particular to the residual U-Net: residual units, and a class branch that sees every level."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.chowdary_like import ResidualUnit
from bustle.models.description import describe


def unit_parameters(inputs: int, width: int) -> int:
    """Two 3x3 and one 1x1 convolution without bias, each with scale and shift."""
    return 9 * inputs * width + 9 * width * width + inputs * width + 3 * 2 * width


def test_the_parameters_are_those_of_the_layout_counted_by_hand():
    widths = [64, 128, 256, 512, 1024]
    down = sum(unit_parameters(i, o) for i, o in zip([3, *widths], widths, strict=False))
    up = sum(unit_parameters(fine + coarse, fine) for fine, coarse in pairwise(widths))
    dense = (sum(widths) + 1) * 256 + (256 + 1) * 2
    assert describe(load_recipe("chowdary_like")).params == down + up + (64 + 1) + dense == 33_640_387


def test_without_a_residual_the_shortcut_passes():
    unit, features = ResidualUnit(3, 3).eval(), torch.rand(2, 3, 5, 4)
    nn.init.zeros_(unit.residual[-1].weight)
    with torch.no_grad():
        unit.shortcut[0].weight.copy_(torch.eye(3).reshape(3, 3, 1, 1))
    torch.testing.assert_close(unit(features), features / (1 + 1e-5) ** 0.5)


@pytest.mark.parametrize(("edge", "halved"), [(32, 16), (33, 17)])
def test_a_strided_unit_halves(edge: int, halved: int):
    assert ResidualUnit(3, 8, stride=2)(torch.randn(2, 3, edge, 32)).shape == (2, 8, halved, 16)


def test_the_class_branch_sees_every_level():
    model = zoo.build("chowdary_like", {"widths": [4, 6, 8], "hidden_width": 5}, in_channels=3, class_count=2)
    seen: list[torch.Tensor] = []
    for unit in model.get_submodule("down"):
        unit.register_forward_hook(lambda _m, _i, out: seen.append(out.mean(dim=(2, 3))))
    image = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        found = model.eval()(image).class_logits
        expected = model.get_submodule("class_head")(torch.cat(seen, dim=1))
    assert [each.shape[1] for each in seen] == [4, 6, 8]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [({"widths": [8]}, "2 to 6 levels"), ({"hidden_width": 0}, "hidden_width must be"), ({"dropout": 1}, "dropout")],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("chowdary_like", config, in_channels=3, class_count=2)
