"""What is particular to CTG-Net: its modules by hand, parameter counts, what it refuses."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor, nn

from bustle.core.errors import InputError
from bustle.evaluation.segmentation import score_masks
from bustle.models import zoo
from bustle.models.papers.ctg_net import (
    SPEC,
    AnatomicalAttention,
    CategorySelection,
    ClassVectors,
    Config,
    CtgNet,
    PlainDecoder,
)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def full_size(**config: object) -> CtgNet:
    with torch.device("meta"):
        network = zoo.build("ctg_net", config, in_channels=3, class_count=2)
    assert isinstance(network, CtgNet)
    return network


def tiny(**config: object) -> CtgNet:
    torch.manual_seed(0)
    return SPEC.build(replace(SPEC.tiny, **config), in_channels=3, class_count=2).eval()


# Parameter counts (docs/explanation/papers.md)


def test_the_recommended_layout_has_the_expected_parameter_counts():
    network = full_size(gland="given")
    assert count(network.encoder) == 14_714_688
    assert count(network.aspp) == 4_131_840
    assert count(network.coarse_decoder) == 1_762_275
    assert count(network.fine_decoder) == 2_352_066
    assert count(network) == 23_241_257
    assert network.encoder.reductions[-1] == 16


def test_without_a_gland_channel_one_row_of_the_coarse_head_is_missing():
    assert count(full_size()) == 23_241_257 - 33


@pytest.mark.parametrize(
    ("backbone", "options", "channels", "size"),
    [
        ("resnet18", {}, 256, 2_782_784),
        ("mobilenetv2_100", {"pad_type": "same"}, 96, 542_528),
        ("mobilenetv2_100", {"output_stride": 16}, 320, 1_811_712),
        ("convnext_tiny", {}, 384, 12_348_000),
    ],
)
def test_every_family_ends_at_stride_16(backbone: str, options: dict, channels: int, size: int):
    network = full_size(backbone=backbone, backbone_options=options, width=64, decoder_channels=[32, 16])
    assert network.encoder.reductions[-1] == 16
    assert network.encoder.channels[-1] == channels
    assert count(network.encoder) == size  # nothing that is not used is kept
    with torch.device("meta"):
        output = network(torch.empty(2, 3, 97, 64))
    assert output.mask_logits.shape == (2, 2, 97, 64)
    assert output.aux_masks["coarse"].shape == (2, 2, 97, 64)


def test_a_cut_encoder_gives_the_same_maps_as_the_whole_one():
    from bustle.models.blocks.encoder import build_encoder

    torch.manual_seed(0)
    whole = build_encoder("test_efficientnet", in_channels=3).eval()
    cut = tiny(backbone="test_efficientnet").encoder
    cut.body.load_state_dict({k: v for k, v in whole.body.state_dict().items() if k in cut.body.state_dict()})
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(cut(image)[-1], whole(image)[3])


# The modules


def test_the_attention_starts_as_the_identity():
    attention = AnatomicalAttention(16, query_width=4, scaled=False)
    shared = torch.randn(2, 16, 5, 7)
    assert torch.equal(attention(shared, torch.rand(2, 1, 5, 7)), shared)
    assert torch.equal(attention(shared, None), shared)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("with_gland", [False, True])
def test_the_attention_is_equations_6_and_7(scaled: bool, with_gland: bool):
    torch.manual_seed(0)
    attention = AnatomicalAttention(16, query_width=4, scaled=scaled)
    with torch.no_grad():
        attention.amount.fill_(0.7)
    shared, gland = torch.randn(2, 16, 5, 7), torch.rand(2, 1, 5, 7)
    with torch.no_grad():
        found = attention(shared, gland if with_gland else None).numpy()
    mask = gland.numpy().reshape(2, 1, 35) if with_gland else np.ones((2, 1, 35))

    def project(layer: nn.Conv2d) -> np.ndarray:
        assert layer.bias is not None
        kernel = layer.weight.detach().numpy()[:, :, 0, 0].astype(np.float64)
        return kernel @ shared.numpy().reshape(2, 16, 35) + layer.bias.detach().numpy()[:, None]

    query, key, value = project(attention.query) * mask, project(attention.key) * mask, project(attention.value)
    similar = np.einsum("bcq,bck->bqk", query, key) / (2.0 if scaled else 1.0)  # softmax over the keys
    attended = np.einsum("bqk,bck->bcq", softmax(similar, axis=2), value)
    np.testing.assert_allclose(
        found, (0.7 * attended + shared.numpy().reshape(2, 16, 35)).reshape(found.shape), atol=2e-5
    )


def test_outside_the_gland_a_query_attends_everywhere_alike():
    """It is not suppressed there: M_m = 0 gives a zero query, hence uniform weights."""
    torch.manual_seed(0)
    attention = AnatomicalAttention(16, query_width=4, scaled=False)
    with torch.no_grad():
        attention.amount.fill_(1.0)
    shared, gland = torch.randn(1, 16, 4, 4), torch.ones(1, 1, 4, 4)
    gland[..., 0, 0] = 0
    with torch.no_grad():
        added = attention(shared, gland) - shared
        mean_value = attention.value(shared).mean(dim=(-2, -1))
    torch.testing.assert_close(added[:, :, 0, 0], mean_value)
    assert not torch.allclose(added[:, :, 1, 1], mean_value, atol=1e-3)


def test_the_lesion_attention_sums_its_terms():
    network = tiny()
    shared = torch.randn(2, 32, 4, 4)
    zero, one = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    torch.testing.assert_close(network._lesion_attention(shared, zero, zero), shared)
    torch.testing.assert_close(network._lesion_attention(shared, one, one), 3 * shared)
    lesion = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(network._lesion_attention(shared, None, lesion), 2 * shared + shared * lesion)
    parts = {"shared": shared, "lesion": shared * lesion, "gland": shared * 0.5}
    for terms in itertools.chain.from_iterable(itertools.combinations(parts, size) for size in (1, 2, 3)):
        found = tiny(lam_terms=terms)._lesion_attention(shared, one / 2, lesion)
        torch.testing.assert_close(found, torch.stack([parts[name] for name in terms]).sum(dim=0))


def attention_maps(network: CtgNet, coarse: Tensor) -> tuple[np.ndarray | None, np.ndarray]:
    gland, lesion = network._attention_maps(coarse)
    return None if gland is None else gland.numpy(), lesion.numpy()


def test_the_coarse_maps_are_a_partition_averaged_over_the_cells():
    coarse = 3 * torch.randn(2, 3, 64, 48)
    probability = softmax(coarse.numpy().astype(np.float64), axis=1)
    cells = probability.reshape(2, 3, 4, 16, 3, 16).mean(axis=(3, 5))
    gland, lesion = attention_maps(tiny(), coarse)
    assert gland is not None
    np.testing.assert_allclose(gland[:, 0], cells[:, 0])
    np.testing.assert_allclose(lesion[:, 0], cells[:, 1])
    np.testing.assert_allclose(cells.sum(axis=1), 1)
    both, _ = attention_maps(tiny(gland_for_attention="gland_plus_lesion"), coarse)
    assert both is not None
    np.testing.assert_allclose(both[:, 0], cells[:, 0] + cells[:, 1])
    none, first = attention_maps(tiny(gland="none"), coarse[:, :2])
    assert none is None
    of_two = softmax(coarse[:, :2].numpy(), axis=1)[:, 0].reshape(2, 4, 16, 3, 16).mean(axis=(2, 4))
    np.testing.assert_allclose(first[:, 0], of_two)


def test_as_many_scores_as_class_vectors():
    torch.manual_seed(0)
    head = ClassVectors(8, class_count=3)
    vectors, scores = head(torch.randn(5, 8))
    assert vectors.shape == (5, 3, 8)
    assert scores.shape == (5, 3)
    expected = vectors.detach().numpy() @ head.score.weight.detach().numpy()[0] + head.score.bias.item()
    np.testing.assert_allclose(scores.detach().numpy(), expected)


@pytest.mark.parametrize("reading", ["spread", "similarity"])
@pytest.mark.parametrize("norm", [False, True])
def test_the_category_selection_is_equation_5_in_both_readings(reading, norm: bool):
    torch.manual_seed(0)
    module = CategorySelection(8, class_count=3, reading=reading, softmax=norm)
    shared, vectors, probability = torch.randn(2, 8, 4, 5), torch.randn(2, 3, 8), torch.rand(2, 3)
    found = module(shared, vectors, probability).detach().numpy()
    assert found.shape == (2, module.out_channels, 4, 5)
    assert module.maps.bias is not None
    kernel, bias = (tensor.detach().numpy() for tensor in (module.maps.weight, module.maps.bias))
    maps = kernel[:, :, 0, 0] @ shared.numpy().reshape(2, 8, 20) + bias[:, None]
    matrix, offset = (tensor.detach().numpy() for tensor in (module.vectors.weight, module.vectors.bias))
    weighted = (vectors.numpy() @ matrix.T + offset) * probability.numpy()[..., None]
    if reading == "spread":
        maps = softmax(maps, axis=1) if norm else maps
        expected = weighted.transpose(0, 2, 1) @ maps  # (D x C)(C x HW)
    else:
        expected = weighted @ maps  # (C x D)(D x HW)
        expected = softmax(expected, axis=1) if norm else expected
    np.testing.assert_allclose(found, expected.reshape(found.shape))


def test_a_certain_class_leaves_only_its_own_vector():
    torch.manual_seed(0)
    module = CategorySelection(8, class_count=3, reading="spread", softmax=False)
    shared, vectors = torch.randn(1, 8, 4, 4), torch.randn(1, 3, 8)
    certain = torch.tensor([[0.0, 1.0, 0.0]])
    changed = vectors.clone()
    changed[:, [0, 2]] = torch.randn(1, 2, 8)
    assert torch.equal(module(shared, vectors, certain), module(shared, changed, certain))
    pattern = module(shared, vectors, certain).detach().flatten(2)[0]
    assert torch.linalg.matrix_rank(pattern) == 1  # one vector, spread by one map


@pytest.mark.parametrize(("akgm", "csm"), [(True, "none"), (False, "spread"), (False, "similarity"), (False, "none")])
def test_the_fine_decoder_sees_only_what_is_switched_on(akgm: bool, csm: str):
    network = tiny(akgm=akgm, csm=csm)
    seen: list[Tensor] = []
    network.fine_decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        network(image)
        shared = network.aspp(network.encoder(image)[-1])
    assert seen[0].shape[1] == (2 if csm == "similarity" else 32)
    if csm == "none":  # F' itself, or AKGM that still adds nothing
        torch.testing.assert_close(seen[0], shared)


def test_a_decoder_doubles_once_per_width():
    assert PlainDecoder(8, 2, channels=(6, 4))(torch.randn(2, 8, 5, 3)).shape == (2, 2, 20, 12)


@pytest.mark.parametrize("size", [(256, 256), (32, 32), (47, 301), (160, 128)])
def test_any_size_comes_back_as_it_went_in(size: tuple[int, int]):
    with torch.no_grad():
        output = tiny()(torch.randn(1, 3, *size))
    assert output.mask_logits.shape == (1, 2, *size)
    assert output.aux_masks["coarse"].shape == (1, 3, *size)


@pytest.mark.parametrize(
    ("gland", "channels"), [("given", ("gland", "lesion", "background")), ("none", ("lesion", "background"))]
)
def test_the_maps_say_what_they_mean(gland: str, channels: tuple[str, ...]):
    meaning = SPEC.map_meanings(Config(gland=gland))["coarse"]  # type: ignore[arg-type]
    assert meaning.channels == channels
    assert channels[meaning.lesion_channels[0]] == "lesion"
    assert SPEC.mask_meaning(Config()).channels == ("lesion", "background")  # type: ignore[union-attr]


# Metrics of the protocol


def test_tfpr_may_exceed_one_and_fpr_may_not():
    truth, drawn = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    truth[10:20, 10:16] = True
    drawn[10:20, 6:24] = True
    scores = score_masks(truth, drawn, spacing=None, empty_masks="undefined")
    assert scores["tfpr"] == pytest.approx(2)  # three times as large, around the truth
    assert scores["fpr_union"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lam_terms": []}, "lam_terms must name at least one term"),
        ({"lam_terms": ["shared", "shared"]}, "each only once"),
        ({"lam_terms": ["tumour"]}, "shared, lesion, gland"),
        ({"decoder_channels": []}, "decoder_channels must name at least one width"),
        ({"width": 4}, "query_reduction must be at least 1 and at most width"),
        ({"csm": "R1"}, "spread, similarity, none"),
        ({"backbone_options": {"out_indices": [4]}}, "backbone 'test_resnet' has no map of stride 16 or finer"),
    ],
)
def test_impossible_settings_are_refused(config: dict, message: str):
    with pytest.raises(InputError, match=message):
        zoo.build("ctg_net", {"backbone": "test_resnet", **config}, in_channels=3, class_count=2)
