"""The maps that a network makes by itself: their names, and that they are the probabilities of its logits."""

from __future__ import annotations

import torch

from bustle.core.network import MaskMeaning
from bustle.models import zoo
from bustle.models.channel_maps import channel_maps
from bustle.models.refinement import Refined


def made(model_id: str, *, refinements: int = 0) -> tuple[Refined, dict[str, MaskMeaning]]:
    spec = zoo.get(model_id)
    torch.manual_seed(0)
    network = spec.build(spec.tiny, in_channels=1, class_count=2).eval()
    refined = Refined(network, meaning=spec.mask_meaning(spec.tiny), refinements=refinements)
    return refined, dict(spec.map_meanings(spec.tiny))


def test_rmtl_net_has_its_three_regions_which_sum_to_one():
    network, meanings = made("rmtl_net")
    with torch.no_grad():
        maps = channel_maps(network, torch.rand(2, 1, 64, 64), meanings=meanings)
    assert list(maps) == ["mask_tumour", "mask_peritumoral", "mask_background"]
    torch.testing.assert_close(sum(maps.values()), torch.ones(2, 64, 64))


def test_la_net_has_its_attention_at_its_own_coarse_size():
    network, meanings = made("la_net")
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        maps = channel_maps(network, image, meanings=meanings)
        location = network.network(image).aux_masks["location"]
    torch.testing.assert_close(maps["location_lesion"], location.sigmoid()[:, 0])
    assert maps["location_lesion"].shape[-1] < 64


def test_a_refined_network_has_the_maps_of_every_pass():
    network, meanings = made("cms_vnet", refinements=2)
    volume = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        maps = channel_maps(network, volume, meanings=meanings)
        assert list(maps) == ["pass_0_lesion", "pass_1_lesion", "mask_background", "mask_lesion"]
        assert network.meaning is not None
        once = network.meaning.lesion_map(network.network(volume).mask_logits)
        torch.testing.assert_close(maps["pass_0_lesion"], once)
        again = network.network(volume + once.unsqueeze(1)).mask_logits
        torch.testing.assert_close(maps["pass_1_lesion"], network.meaning.lesion_map(again))
        torch.testing.assert_close(maps["mask_lesion"], network(volume).mask_logits.softmax(dim=1)[:, 1])
