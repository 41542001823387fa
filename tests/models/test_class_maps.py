from __future__ import annotations

from dataclasses import replace
from functools import partial
from threading import Thread
from typing import Any

import pytest
import torch
from torch import nn

from bustle.core.network import AdditiveClassHead, ModelSpec
from bustle.models import zoo
from bustle.models.class_maps import offers_class_maps, run_with_class_maps
from bustle.models.refinement import Refined

ADDITIVE = (
    "chakravarty_2018",
    "chakravarty_2018_3d",
    "la_net",
    "lesion_pooled_unet",
    "mtl_cosa",
    "multimix",
    "rasaee_mtl",
    "rmtl_net",
    "sc_net",
    "sha_mtl_like",
    "wang_2018",
    "wang_2018_3d",
    "xie_like",
    "xie_like_3d",
    "ynet_like",
)


def network_of(spec: ModelSpec, *, refinements: int = 0, **changes: Any) -> Refined:
    torch.manual_seed(0)
    network = spec.build(replace(spec.tiny, **changes), in_channels=1, class_count=3).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):  # otherwise a norm without effect hides a mistake
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return Refined(network, meaning=spec.mask_meaning(spec.tiny), refinements=refinements)


def images_for(spec: ModelSpec, *, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, *((64, 80) if spec.dims == 2 else (32, 32, 48)), dtype=torch.float64)


REGIONAL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rmtl_net", {"threshold": 0.2}),  # untrained, no region is above a half
    ("rmtl_net", {"threshold": 0.2, "region_pool": "masked", "region_resize": "area"}),
    ("rmtl_net", {"threshold": 0.2, "regions": ("peritumoral",)}),
    ("rmtl_net", {"regions": (), "attention": "cbam"}),
)


@pytest.mark.parametrize(
    ("network", "changes"), [*((name, {}) for name in ADDITIVE if name != "rmtl_net"), *REGIONAL]
)
def test_the_cells_and_a_constant_add_up_to_the_class_logits(network: str, changes: dict[str, Any]):
    spec = zoo.get(network)
    built = network_of(spec, **changes)
    with torch.no_grad():
        output, maps = run_with_class_maps(built, images_for(spec))
        again = built(images_for(spec))
    assert maps.shape[:2] == (2, 3)
    assert maps.ndim == 2 + spec.dims
    constant = output.class_logits - maps.flatten(2).sum(dim=2)
    assert torch.allclose(constant[0], constant[1], rtol=0, atol=1e-12)
    assert maps.flatten(2).std(dim=2).min() > 0, "the cells differ"
    assert output.class_logits.shape == again.class_logits.shape


def test_the_constant_is_the_bias():
    spec = zoo.get("lesion_pooled_unet")
    built = network_of(spec)
    with torch.no_grad():
        output, maps = run_with_class_maps(built, images_for(spec))
    total = maps.flatten(2).sum(dim=2) + built.network.class_head.of_image.bias
    assert torch.allclose(total, output.class_logits, rtol=0, atol=1e-12)


def test_networks_whose_head_is_no_sum_over_cells_offer_no_map():
    for network in ("nnunet_like", "chowdary_like", "acsnet", "unet"):
        built = network_of(zoo.get(network))
        assert not offers_class_maps(built)
        with pytest.raises(ValueError, match="no sum over cells"):
            run_with_class_maps(built, images_for(zoo.get(network)))


@pytest.mark.full
def test_every_network_with_such_a_head_is_in_the_list():
    found = []
    with torch.device("meta"):
        for network in zoo.ids():
            spec = zoo.get(network)
            head = getattr(spec.build(spec.tiny, in_channels=1, class_count=3), "class_head", None)
            found += [network] if isinstance(head, AdditiveClassHead) else []
    assert found == sorted(ADDITIVE)


def test_a_refined_network_explains_its_last_pass():
    spec = zoo.get("sc_net")
    built = network_of(spec, refinements=2)
    with torch.no_grad():
        output, maps = run_with_class_maps(built, images_for(spec))
    total = maps.flatten(2).sum(dim=2) + built.network.class_head.bias
    assert torch.allclose(total, output.class_logits, rtol=0, atol=1e-12)


def test_another_thread_s_images_are_not_mixed_in():
    spec = zoo.get("sc_net")
    built = network_of(spec)
    images = images_for(spec)
    with torch.no_grad():
        _, alone = run_with_class_maps(built, images)
        others = [Thread(target=partial(built, images_for(spec))) for _ in range(4)]
        for other in others:
            other.start()
        _, among_others = run_with_class_maps(built, images)
        for other in others:
            other.join()
    assert torch.equal(alone, among_others)
