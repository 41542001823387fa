"""Iterative refinement around any network: what each pass is shown, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.core.network import MaskMeaning, MultiTaskOutput
from bustle.core.recipe import Recipe, load_recipe
from bustle.data.prepared.intensities import normalise
from bustle.models import zoo
from bustle.models.description import describe
from bustle.models.refinement import Refined, refined
from bustle.models.weight_file import write_weights
from bustle.models.weights import load_model_weights
from bustle.training.checks import check_recipe

LESION = MaskMeaning(("background", "lesion"), "softmax", (1,))


class Watched(nn.Module):
    """Gives two mask channels that depend on what it is shown, and remembers that."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.tensor(0.7))
        self.shown: list[Tensor] = []

    def forward(self, image: Tensor) -> MultiTaskOutput:
        self.shown.append(image)
        lesion = self.weight * image.mean(dim=1, keepdim=True)
        others = [lesion * factor for factor in range(2, self.channels + 1)]
        return MultiTaskOutput(torch.cat([lesion, *others], dim=1), image.flatten(2).mean(dim=2))


@pytest.mark.parametrize("size", [(4, 6), (4, 3, 5)])
@pytest.mark.parametrize(
    "meaning",
    [
        LESION,
        MaskMeaning(("tumour", "peritumoral", "background"), "softmax", (0,)),
        MaskMeaning(("background", "benign", "malignant"), "softmax", (1, 2)),
        MaskMeaning(("lesion",), "sigmoid", (0,)),
    ],
    ids=lambda meaning: "-".join(meaning.channels),
)
def test_each_pass_is_shown_the_image_plus_the_map_before(size: tuple[int, ...], meaning: MaskMeaning):
    torch.manual_seed(0)
    image = torch.randn(2, 3, *size)
    network = Watched(len(meaning.channels))
    output = Refined(network, meaning=meaning, refinements=2)(image)
    first, second, third = network.shown
    assert torch.equal(first, image)
    for shown, before in ((second, first), (third, second)):
        logits = network(before).mask_logits.double()
        probability = (
            logits.sigmoid() if meaning.activation == "sigmoid" else logits.exp() / logits.exp().sum(1, True)
        )
        lesion = sum(probability[:, channel] for channel in meaning.lesion_channels)
        torch.testing.assert_close(shown - image, lesion[:, None].expand_as(image).float(), atol=1e-6, rtol=1e-5)
    assert torch.equal(output.mask_logits, network(third).mask_logits)
    assert torch.equal(output.class_logits, network(third).class_logits)


def test_no_gradient_passes_through_the_map():
    image = torch.randn(1, 1, 4, 4)
    network = Watched(2)
    output = Refined(network, meaning=LESION, refinements=1)(image)
    (found,) = torch.autograd.grad(output.mask_logits.sum(), network.weight)
    (last_pass,) = torch.autograd.grad(network(network.shown[1].detach()).mask_logits.sum(), network.weight)
    assert torch.equal(found, last_pass)


@pytest.mark.parametrize("name", ["cms_vnet", "rmtl_net", "classifier"])
def test_without_refinements_it_is_the_network(name: str):
    spec = zoo.get(name)
    network = spec.build(spec.tiny, in_channels=1, class_count=2).eval()
    image = torch.randn(1, 1, *(32,) * spec.dims)
    with torch.no_grad():
        plain = network(image)
        wrapped = Refined(network, meaning=spec.mask_meaning(spec.tiny), refinements=0)(image)
    for first, second in zip(plain[:2], wrapped[:2], strict=True):
        assert first is second is None or torch.equal(first, second)


def small(name: str, *overrides: str) -> Recipe:
    return load_recipe(name, overrides=["model.config.width=2", "data.size=[32, 32, 32]", *overrides])


def build(recipe: Recipe) -> nn.Module:
    return zoo.build(recipe.model.id, recipe.model.config, in_channels=1, class_count=2)


def test_the_recipe_says_how_often():
    recipe = small("cms_vnet_iter")
    network = refined(build(recipe), zoo.resolve(recipe))
    assert (network.refinements, network.meaning) == (2, LESION)
    plain = describe(small("cms_vnet"))
    found = describe(recipe)
    assert found.gmacs == pytest.approx(3 * plain.gmacs, abs=2e-4)
    assert (found.params, found.task) == (plain.params, "joint")


def test_refinement_starts_from_the_weights_of_a_plain_network(tmp_path: Path):
    plain = build(small("cms_vnet"))
    write_weights(tmp_path / "best.safetensors", plain.state_dict())
    recipe = small("cms_vnet_iter")
    network = refined(build(recipe), zoo.resolve(recipe))
    load_model_weights(network.network, tmp_path / "best.safetensors")
    assert all(torch.equal(plain.state_dict()[name], tensor) for name, tensor in network.network.state_dict().items())


def test_a_network_without_a_mask_has_nothing_to_refine():
    with pytest.raises(InputError, match=r"model\.refinements is 1, but the network gives no mask to refine; use"):
        check_recipe(load_recipe("classifier", overrides=["model.refinements=1", "model.encoder_weights=null"]))


def test_an_image_network_is_refined_too():
    recipe = load_recipe("unet/refined", overrides=["model.config.widths=[4, 8]", "data.size=[32, 48]"])
    resolved = zoo.resolve(recipe)
    network = refined(resolved.build(), resolved).eval()
    image = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        shown = image
        for _ in range(2):
            shown = image + network.network(shown).mask_logits.sigmoid()
        assert torch.equal(network(image).mask_logits, network.network(shown).mask_logits)
    assert (recipe.model.refinements, recipe.training.step.name) == (2, "refinement")


def test_the_map_is_added_with_its_weight():
    image = torch.rand(1, 1, 4, 6)
    network = Watched(2)
    Refined(network, meaning=LESION, refinements=1, prob_weight=2.5)(image)
    first, second = network.shown
    probability = network(first).mask_logits.softmax(dim=1)[:, 1:]
    torch.testing.assert_close(second - image, 2.5 * probability, atol=1e-6, rtol=1e-5)
    with pytest.raises(InputError, match="prob_weight must lie above 0"):
        load_recipe("cms_vnet_iter", overrides=["model.prob_weight=0"])


def test_the_papers_recipes_show_a_dark_lesion_more_clearly_with_its_map_than_without():
    """Of a lesion darker than its ring: how well one threshold tells them apart, before and after adding the map."""
    random = np.random.default_rng(0)
    lesion = np.zeros((24, 24, 24), bool)
    lesion[8:16, 8:16, 8:16] = True
    grey = np.clip(np.where(lesion, 70, 120) + random.normal(0, 20, lesion.shape), 0, 255).astype(np.float32)
    probability = np.where(lesion, 0.9, 0.1).astype(np.float32)
    for name in ("cms_vnet", "cms_vnet_iter", "cms_vnet_iter_cpu"):
        section = load_recipe(name).data
        assert _told_apart(normalise(grey[None], section=section)[0] + probability, lesion) > 0.99
    standardised = replace(section, normalisation="z_score")
    plain = normalise(grey[None], section=standardised)[0]
    assert _told_apart(plain + probability, lesion) < _told_apart(plain, lesion) - 0.1


def _told_apart(values: np.ndarray, lesion: np.ndarray) -> float:
    """|2 AUC - 1| of the lesion against the rest: 0 = not at all, 1 = by one threshold."""
    return abs(2 * float(roc_auc_score(lesion.ravel(), values.ravel())) - 1)
