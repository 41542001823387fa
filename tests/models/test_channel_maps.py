"""The maps that a network makes by itself: their names, and that they are the probabilities of its logits."""

from __future__ import annotations

from dataclasses import replace

import torch

from bustle.core.network import MaskMeaning
from bustle.models import zoo
from bustle.models.channel_maps import channel_maps
from bustle.models.refinement import Refined


def made(model_id: str, *, refinements: int = 0, **settings) -> tuple[Refined, dict[str, MaskMeaning]]:
    spec = zoo.get(model_id)
    config = replace(spec.tiny, **settings)
    torch.manual_seed(0)
    network = spec.build(config, in_channels=1, class_count=2).eval()
    refined = Refined(network, meaning=spec.mask_meaning(config), refinements=refinements)
    return refined, dict(spec.map_meanings(config))


def test_rmtl_net_has_its_three_regions_which_sum_to_one():
    network, meanings = made("rmtl_net")
    with torch.no_grad():
        maps = channel_maps(network, torch.rand(2, 1, 64, 64), meanings=meanings)
    regions = {name: values for name, values in maps.items() if name.startswith("mask_")}
    assert list(regions) == ["mask_tumour", "mask_peritumoral", "mask_background"]
    torch.testing.assert_close(sum(regions.values()), torch.ones(2, 64, 64))


def test_rmtl_net_shows_what_the_features_of_each_guiding_region_are_multiplied_by():
    """Of two of the regions and a refined network; the class logits follow from the maps and the last features."""
    network, meanings = made("rmtl_net", refinements=1, regions=("peritumoral", "background"), threshold=0.335)
    images = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        maps = channel_maps(network, images, meanings=meanings)
        attention = {name: values for name, values in maps.items() if name.startswith("regional")}
        assert list(attention) == ["regional_attention_peritumoral", "regional_attention_background"]
        *_, last = network.passes(images)
        cells = last.mask_logits.softmax(dim=1)[:, 1:, ::32, ::32]  # nearest reads the cell's first pixel
        kept = torch.stack(list(attention.values()), dim=1)
        torch.testing.assert_close(kept, torch.where(cells > 0.335, cells, 0.0))
        assert 0 < (kept > 0).float().mean() < 1, "a threshold that keeps all or nothing tests nothing"
        own = network.network
        features = own.encoder(network.next_input(images, network.passes(images)[0]))[-1]
        vectors = (features[:, None] * kept[:, :, None]).mean(dim=(-2, -1))
        logits = own.class_head(own.attention.fusion(vectors), lambda: features)
        torch.testing.assert_close(logits, last.class_logits)


def test_rmtl_net_with_cbam_shows_the_places_and_without_attention_nothing():
    images = torch.rand(2, 1, 64, 64)
    network, meanings = made("rmtl_net", regions=(), attention="cbam")
    with torch.no_grad():
        places = channel_maps(network, images, meanings=meanings)["spatial_attention"]
        features = network.network.encoder(images)[-1]
        weighed = network.network.gate[0](features)
        torch.testing.assert_close(weighed * places[:, None], network.network.gate(features))
        for attention in ("se", "none"):
            network, meanings = made("rmtl_net", regions=(), attention=attention)
            assert list(channel_maps(network, images, meanings=meanings)) == ["mask_tumour", "mask_background"]


def test_acsnet_shows_its_gates_and_spatial_attentions_stage_by_stage():
    """What goes on from a gate and from an attention follows from the maps alone."""
    network, meanings = made("acsnet", dsa_stages=(6, 8))
    images = torch.rand(2, 1, 64, 96)
    decoder = network.network.decoder
    with torch.no_grad():
        maps = channel_maps(network, images, meanings=meanings)
        features = network.network.encoder(images)
        decoded = decoder(features)
    pooled = [f"{part}_{kind}" for part in ("6", "8") for kind in ("mean", "max")]
    gates = [f"gate_stage_{stage}_{kind}" for stage in range(1, 6) for kind in ("mean", "max")]
    assert list(maps) == ["mask_lesion", *gates, *(f"deformable_attention_stage_{name}" for name in pooled)]
    with torch.no_grad():
        for stage, (gate, feature) in enumerate(zip(decoder.gates, features, strict=True), start=1):
            mean, most = maps[f"gate_stage_{stage}_mean"], maps[f"gate_stage_{stage}_max"]
            assert mean.shape[1:] == feature.shape[2:]
            weight = mean.mean(dim=(1, 2)) + most.amax(dim=(1, 2))
            torch.testing.assert_close(gate.out(feature * weight[:, None, None, None]), gate(feature))
        for stage in (6, 8):
            skip = decoder.gates[9 - stage](features[9 - stage])
            coarse = decoder.gates[4](features[4]) if stage == 6 else decoded[stage - 7]
            own = decoder.stages[stage - 6]
            bent = own.attention.first(own.merged(coarse, skip))
            places = [maps[f"deformable_attention_stage_{stage}_{kind}"][:, None] for kind in ("mean", "max")]
            joined = torch.cat([bent * place for place in places], dim=1)
            torch.testing.assert_close(own.attention.last(joined), decoded[stage - 6])


def test_acsnet_without_gates_attention_or_decoder_has_no_maps_of_them():
    network, meanings = made("acsnet", gate=False, dsa_stages=())
    with torch.no_grad():
        assert list(channel_maps(network, torch.rand(1, 1, 64, 64), meanings=meanings)) == ["mask_lesion"]
        settings = {"segmentation": False, "gate": False, "dsa_stages": (), "multi_scale": False}
        network, meanings = made("acsnet", **settings)
        assert channel_maps(network, torch.rand(1, 1, 64, 64), meanings=meanings) == {}


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
        assert list(maps)[:4] == ["pass_0_lesion", "pass_1_lesion", "mask_background", "mask_lesion"]
        assert network.meaning is not None
        once = network.meaning.lesion_map(network.network(volume).mask_logits)
        torch.testing.assert_close(maps["pass_0_lesion"], once)
        again = network.network(volume + once.unsqueeze(1)).mask_logits
        torch.testing.assert_close(maps["pass_1_lesion"], network.meaning.lesion_map(again))
        torch.testing.assert_close(maps["mask_lesion"], network(volume).mask_logits.softmax(dim=1)[:, 1])


def test_the_stages_of_the_v_net_are_shown_as_they_are_in_the_last_pass():
    """Of a volume that is padded inside: on the part of a stage's grid that lies on it, from 0 to 1."""
    network, meanings = made("cms_vnet", refinements=1)
    volume = torch.rand(1, 1, 32, 40, 32)
    with torch.no_grad():
        maps = channel_maps(network, volume, meanings=meanings)
        stages, _ = network.network.vnet(network.next_input(volume, network.passes(volume)[0]))
    shown = {name: values for name, values in maps.items() if name.startswith("stage_")}
    assert list(shown) == [f"stage_{number}" for number in range(1, 10)]
    assert list(maps)[-9:] == list(shown)
    assert [values.shape[2] for values in shown.values()] == [40, 20, 10, 5, 3, 5, 10, 20, 40]
    for values, features in zip(shown.values(), stages, strict=True):
        depth, height, width = values.shape[1:]
        energy = (values / (1 - values)).square() * features.shape[1]
        torch.testing.assert_close(energy, features.square().sum(dim=1)[:, :depth, :height, :width])
        assert 0 < values.max() < 1
