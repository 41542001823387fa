"""MultiMix's saliency bridge: what it is, and that every calling mode gives the same numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.multimix import SPEC
from bustle.models.description import describe


def build(**config) -> nn.Module:
    torch.manual_seed(0)
    return zoo.build("multimix", {"widths": [8, 16, 24, 32, 48], **config}, in_channels=3, class_count=2)


def bridge_of(model: nn.Module, image: torch.Tensor) -> torch.Tensor:
    seen = []
    decoder = model.get_submodule("decoder")
    hook = decoder.register_forward_pre_hook(lambda _, __, kwargs: seen.append(kwargs["bridge"]), with_kwargs=True)
    model(image)
    hook.remove()
    return seen[0]


def test_the_bridge_is_the_image_and_the_gradient_of_the_highest_score():
    model = build().eval()
    image = torch.randn(3, 3, 64, 64)
    bridge = bridge_of(model, image)
    assert torch.equal(bridge[:, :3], image)
    assert not bridge.requires_grad  # a constant for the decoder, as in the released code
    for case in range(3):
        watched = image[case : case + 1].clone().requires_grad_()
        scores = model(watched.detach()).class_logits  # which class is the highest
        winner = int(scores.argmax())
        deepest = model.get_submodule("encoder")(watched)[-1]
        pooled = nn.functional.max_pool2d(deepest, 2).mean(dim=(-2, -1), keepdim=True)
        (gradient,) = torch.autograd.grad(model.get_submodule("class_head")(pooled)[0, winner], watched)
        torch.testing.assert_close(bridge[case], torch.cat([image[case], gradient[0].abs()]))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_callers_mode_changes_nothing_but_the_graph(mode):
    model = build().eval()
    image = torch.randn(2, 3, 33, 61)
    wanted = model(image)
    assert wanted.mask_logits.requires_grad
    with mode():
        found = model(image.clone())  # in inference mode a tensor that autograd does not take
        assert not torch.is_grad_enabled()
    for first, second in zip(wanted[:2], found[:2], strict=True):
        assert not second.requires_grad
        torch.testing.assert_close(first.detach(), second)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_both_tasks_teach_the_encoder():
    model = build()
    output = model(torch.randn(2, 3, 64, 64))
    for logits, untouched in ((output.class_logits, "mask_head.weight"), (output.mask_logits, "class_head.weight")):
        model.zero_grad()
        logits.square().mean().backward(retain_graph=True)
        assert model.get_parameter("encoder.levels.0.0.weight").grad is not None
        assert model.get_parameter(untouched).grad is None


def test_without_the_bridge_it_is_a_plain_network():
    model = build(saliency_bridge=False).eval()
    first = model.get_submodule("decoder.stages.0.0")
    assert first.in_channels == 48 + 32
    assert build().get_submodule("decoder.stages.0.0").in_channels == 48 + 32 + 6
    assert torch.export.export(model, (torch.randn(1, 3, 64, 64),)) is not None
    assert not SPEC.exports


def test_the_recipe_has_the_released_layout():
    widths = (3, 16, 32, 64, 128, 256)
    down = [9 * i * o + 9 * o * o + 4 * o for i, o in pairwise(widths)]
    up = [9 * i * o + 9 * o * o + 4 * o for i, o in ((256 + 128 + 6, 128), (192, 64), (96, 32), (48, 16))]
    assert describe(load_recipe("multimix")).params == sum(down) + sum(up) + 17 + 257 * 2 == 1_971_523
    assert load_recipe("multimix").training.step.name == "multimix"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"widths": [8]}, "widths must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"leaky_slope": -0.1}, "leaky_slope must"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        build(**config)
