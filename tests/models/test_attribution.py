"""Gradients' explanations against networks whose answer is known: exact maps, axioms, and what a head depends on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bustle.core.network import MultiTaskOutput
from bustle.models import zoo
from bustle.models.attribution import class_score, grad_cam, integrated_gradients
from bustle.models.class_maps import run_with_class_maps
from bustle.models.refinement import Refined


def tiny(network: str, *, dims: int = 2) -> tuple[Refined, Tensor]:
    torch.manual_seed(0)
    spec = zoo.get(network)
    built = spec.build(spec.tiny, in_channels=1, class_count=3).double().eval()
    image = torch.randn(2, 1, *((64, 80) if dims == 2 else (32, 32, 48)), dtype=torch.float64)
    return Refined(built, meaning=spec.mask_meaning(spec.tiny), refinements=0), image


@pytest.mark.parametrize(("network", "dims"), [("sc_net", 2), ("wang_2018_3d", 3)])
def test_of_a_linear_head_on_a_mean_grad_cam_is_the_positive_part_of_the_class_activation_map(
    network: str, dims: int
):
    built, image = tiny(network, dims=dims)
    with torch.no_grad():
        output, maps = run_with_class_maps(built, image)
    index = int(output.class_logits[0].argmax())
    found = grad_cam(built, image, index=index)
    against_others = 1.5 * (maps[:, index] - maps.mean(dim=1))
    assert found.shape == against_others.shape
    assert torch.allclose(found, against_others.relu(), rtol=1e-9, atol=1e-15)
    assert found.max() > 0


@pytest.mark.parametrize("network", ["acsnet", "rmtl_net", "nnunet_like", "mtl_cosa", "lesion_pooled_unet"])
def test_grad_cam_looks_at_features_of_every_kind_of_head(network: str):
    built, image = tiny(network)
    found = grad_cam(built, image, index=0)
    assert found.shape[0] == 2
    assert min(found.shape[1:]) > 1
    assert found.shape[1] < image.shape[2], "features, not the mask"
    assert found.isfinite().all()


def test_explaining_leaves_the_network_as_it_was():
    built, image = tiny("lesion_pooled_unet")
    with torch.no_grad():
        before = built(image).class_logits
    grad_cam(built, image, index=0)
    with torch.no_grad():
        after = built(image).class_logits
    assert torch.equal(before, after)
    assert all(parameter.grad is None for parameter in built.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in built.modules())


@pytest.mark.parametrize("network", ["sc_net", "rasaee_mtl"])
def test_integrated_gradients_are_complete(network: str):
    """Axiom 1 of Sundararajan et al.: what the pixels add is the score less that of the baseline."""
    built, image = tiny(network)
    found = integrated_gradients(built, image, index=1)
    assert found.shape == (2, 64, 80)
    grey = image.mean(dim=(1, 2, 3), keepdim=True).expand_as(image)
    with torch.no_grad():
        scores = class_score(built(image).class_logits, 1)
        difference = scores - class_score(built(grey).class_logits, 1)
    assert torch.allclose(found.sum(dim=(1, 2)), difference, rtol=0.05, atol=0.01 * float(scores.abs().max()))


class Linear(nn.Module):
    """Two logits: 0 and the weighted sum of the pixels."""

    def __init__(self, weights: Tensor):
        super().__init__()
        self.weights = weights

    def forward(self, image: Tensor) -> MultiTaskOutput:
        score = (image[:, 0] * self.weights).sum(dim=(1, 2))
        return MultiTaskOutput(None, torch.stack([torch.zeros_like(score), score], dim=1))


def test_of_a_linear_network_integrated_gradients_are_its_terms():
    torch.manual_seed(0)
    weights, image = torch.randn(8, 8, dtype=torch.float64), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    network = Refined(Linear(weights), meaning=None, refinements=0)
    found = integrated_gradients(network, image, index=1)
    assert torch.allclose(found[0], weights * (image[0, 0] - image.mean()))


def test_a_class_is_scored_against_the_others():
    logits = torch.tensor([[1.0, 2.0, 6.0]])
    assert class_score(logits, 2).tolist() == [4.5]
    assert class_score(logits + 100, 0).tolist() == [-3.0]
