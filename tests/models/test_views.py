"""Views of images, against means over views that are made and brought back by OpenCV and NumPy alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from bustle.core.network import MultiTaskOutput
from bustle.core.recipe import load_recipe
from bustle.core.views import Views
from bustle.inference.torch_backend import mean_probabilities
from bustle.models import zoo
from bustle.models.refinement import Refined, refined
from bustle.models.views import answers_to_views, answers_with_class_maps, mean_over_views, overlaps

SIZE = (64, 96)
TINY = ["model.config.backbone=test_resnet", "model.config.decoder_channels=[8, 8, 8, 8]", f"data.size={list(SIZE)}"]
ALL = Views(scales=(1.0, 1.5), mirrored=True)
SUM = 1e-9
"""Of float64 numbers of about 1, through a network of a few hundred terms a sum."""


@pytest.fixture(scope="module")
def network() -> Refined:
    resolved = zoo.resolve(load_recipe("reference", overrides=[*TINY, "model.encoder_weights=null"]))
    torch.manual_seed(0)
    return refined(resolved.build().eval().double().requires_grad_(False), resolved)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(3, 1, *SIZE)))


def resized(plane: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(plane), size[::-1], interpolation=cv2.INTER_LINEAR)


def probabilities(outputs: list[MultiTaskOutput], network: Refined) -> list[np.ndarray]:
    found = mean_probabilities(outputs, network.meaning, gives_classes=True)
    return [values.numpy() for values in found if values is not None]


def test_the_answer_is_the_mean_over_views_that_are_run_one_by_one(network: Refined, images: torch.Tensor):
    masks, classes = [], []
    for size in (SIZE, (96, 128)):  # 1.5 x 96 is 4.5 x 32, and of two multiples as near the even one is taken
        for step in (1, -1):
            shown = np.stack([resized(image[0], size)[None, :, ::step] for image in images.numpy()])
            output = network(torch.from_numpy(shown.copy()))
            logits = [resized(one[0], SIZE)[:, ::step] for one in output.mask_logits.numpy()]
            masks.append(1 / (1 + np.exp(-np.stack(logits)[:, None])))
            powers = np.exp(output.class_logits.numpy())
            classes.append(powers / powers.sum(axis=1, keepdims=True))
    found = probabilities(answers_to_views(network, images, ALL), network)
    # OpenCV weighs its neighbours in float32
    assert np.allclose(found[0], np.mean(masks, axis=0), rtol=0, atol=1e-5)
    assert np.allclose(found[1], np.mean(classes, axis=0), rtol=0, atol=1e-5)


def test_a_single_view_is_the_plain_network_to_the_bit(network: Refined, images: torch.Tensor):
    (answer,), plain = answers_to_views(network, images, Views()), network(images)
    assert torch.equal(answer.mask_logits, plain.mask_logits)
    assert torch.equal(answer.class_logits, plain.class_logits)


def test_a_mirrored_image_gets_the_mirrored_answer(network: Refined, images: torch.Tensor):
    mask, classes = probabilities(answers_to_views(network, images, ALL), network)
    turned_mask, turned_classes = probabilities(answers_to_views(network, images.flip(-1), ALL), network)
    assert np.allclose(turned_mask[..., ::-1], mask, rtol=0, atol=SUM)
    assert np.allclose(turned_classes, classes, rtol=0, atol=SUM)
    _, plain = probabilities(answers_to_views(network, images, Views()), network)
    _, turned_plain = probabilities(answers_to_views(network, images.flip(-1), Views()), network)
    assert np.abs(turned_plain - plain).max() > 1e3 * SUM


def test_class_maps_sum_to_the_mean_logits_of_the_views(network: Refined, images: torch.Tensor):
    answers, maps = answers_with_class_maps(network, images, ALL)
    assert maps.shape == (3, 3, SIZE[0] // 16, SIZE[1] // 16)
    logits = torch.stack([answer.class_logits for answer in answers]).mean(dim=0)
    constants = logits - maps.sum(dim=(-2, -1))
    assert torch.allclose(constants, constants[:1].expand_as(constants), rtol=0, atol=SUM)
    _, turned = answers_with_class_maps(network, images.flip(-1), ALL)
    assert torch.allclose(turned.flip(-1), maps, rtol=0, atol=SUM)


def test_maps_of_views_return_to_their_place_and_keep_their_sum(images: torch.Tensor):
    smooth = torch.linspace(0, 1, SIZE[1], dtype=torch.float64).expand(2, 1, *SIZE)

    def what_is_shown(shown: torch.Tensor) -> torch.Tensor:
        return shown[:, 0] / shown[0, 0].numel()

    found = mean_over_views(what_is_shown, smooth, Views(scales=(1.0, 2.0), mirrored=True))
    assert torch.allclose(found, smooth[:, 0] / smooth[0, 0].numel(), rtol=0, atol=0.01 / smooth[0, 0].numel())
    assert torch.allclose(found.sum(dim=(-2, -1)), smooth.mean(dim=(1, 2, 3)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("of", "onto"), [(16, 11), (11, 16), (20, 10), (7, 7)])
def test_each_cell_is_divided_as_a_whole(of: int, onto: int):
    assert torch.allclose(overlaps(of, onto).sum(dim=0), torch.ones(of), atol=1e-6)
    assert torch.allclose(overlaps(of, onto).sum(dim=1), torch.full((onto,), of / onto), atol=1e-6)


def test_a_smaller_view_is_shown_the_means_of_what_its_pixels_cover(images: torch.Tensor):
    def what_is_shown(shown: torch.Tensor) -> torch.Tensor:
        seen.append(shown)
        return shown[:, 0]

    seen: list[torch.Tensor] = []
    square = images[..., :64]
    mean_over_views(what_is_shown, square, Views(scales=(1.0, 0.5)))
    wanted = square.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean(dim=(3, 5))
    assert torch.allclose(seen[1], wanted, rtol=0, atol=1e-6)
