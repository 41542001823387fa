"""The class that Qu et al. read from maps per class, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.recipe import load_recipe
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.baselines.qu_2019 import SPEC, Config, mask_meaning
from bustle.models.blocks.class_maps import log_class_means
from bustle.models.description import describe
from bustle.training.loss_setting import loss_setting


def by_numpy(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    lesion = 1 - p[:, :1]
    return np.log((lesion * p[:, 1:]).sum(axis=(2, 3)) / lesion.sum(axis=(2, 3)))


def test_the_class_is_the_mean_probability_within_the_lesion():
    logits = np.random.default_rng(0).normal(size=(3, 3, 5, 7))
    np.testing.assert_allclose(log_class_means(torch.from_numpy(logits)), by_numpy(logits), rtol=1e-9)


def test_a_certain_lesion_gives_the_share_of_its_pixels():
    """Ten of sixty-four pixels are lesion, seven of them malignant; the background does not count."""
    classes = torch.zeros(64, dtype=torch.int64)
    classes[:3], classes[3:10] = 1, 2
    logits = 40 * torch.nn.functional.one_hot(classes, 3).T.reshape(1, 3, 8, 8).double()
    torch.testing.assert_close(log_class_means(logits).exp(), torch.tensor([[0.3, 0.7]]))


def test_a_case_without_foreground_has_finite_logits_and_gradients():
    logits = torch.zeros(2, 3, 8, 8)
    logits[:, 0] = 1e4
    logits[1, 2, 4, 4] = 1.0  # the faintest trace of a malignant pixel decides
    logits.requires_grad_()
    means = log_class_means(logits)
    means.sum().backward()
    assert torch.isfinite(means).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert means[0, 0] == means[0, 1]
    assert means[1, 1] > means[1, 0]


def test_the_network_reads_its_classes_from_its_maps():
    torch.manual_seed(0)
    model = SPEC.build(SPEC.tiny, in_channels=3, class_count=2).eval()
    assert not any("class_head" in name for name, _ in model.named_parameters())
    with torch.no_grad():
        output = model(torch.randn(2, 3, 50, 97))
    assert output.mask_logits.shape == (2, 3, 50, 97)
    torch.testing.assert_close(output.class_logits, log_class_means(output.mask_logits))
    assert mask_meaning(Config()).channels == ("background", "benign", "malignant")
    assert mask_meaning(Config()).lesion_channels == (1, 2)


def test_a_class_without_a_map_needs_a_layer():
    model = SPEC.build(SPEC.tiny, in_channels=3, class_count=3).eval()
    assert model.get_submodule("class_head").in_features == 3
    assert model(torch.randn(1, 3, 64, 64)).class_logits.shape == (1, 3)


def test_the_recipe_trains_maps_with_a_perceptual_loss():
    recipe = load_recipe("qu_2019")
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    assert list(loss.losses) == ["class_map_cross_entropy", "lossnet"]


def test_the_parameters_are_those_of_encoder_and_decoder():
    decoder = 4 * 32 * 32 + 3 * 32 + 32 * 3 + 3  # the last block and the maps
    for inputs, width, skip in ((512, 256, 256), (256, 128, 128), (128, 64, 64), (64, 32, 64)):
        decoder += 4 * inputs * width + 9 * (width + skip) * width + 9 * width * width + 9 * width
    assert describe(load_recipe("qu_2019")).params == 11_176_512 + decoder == 14_240_739
    assert describe(load_recipe("qu_2019/resnet34")).params == 21_284_672 + decoder == 24_348_899


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lesion_classes": ["lesion"]}, "at least two classes"),
        ({"lesion_classes": ["background", "malignant"]}, "must not name the background"),
        ({"decoder_channels": [0, 8, 8, 8]}, "decoder_channels must be at least 1"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("qu_2019", config, in_channels=3, class_count=2)
