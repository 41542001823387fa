"""What is particular to FCN-8s: the published count, fixed up-sampling, and where its three scores come from."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bustle.core.published import published_for
from bustle.core.recipe import load_recipe
from bustle.models.baselines.fcn8s import SPEC, Config
from bustle.models.description import describe


def tiny() -> torch.nn.Module:
    torch.manual_seed(0)
    return SPEC.build(SPEC.tiny, in_channels=3, class_count=2).eval()


def test_it_has_the_published_parameter_count():
    rows = published_for({"paper": "rmtl_net", "method": "FCN"})
    assert describe(load_recipe("fcn8s")).params == 134_270_278  # P3
    assert [row.mean for row in rows if row.task == "cost"] == [134_270_278]


def test_the_scores_of_vgg_come_from_the_maps_after_their_pooling():
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
    assert [score.in_channels for score in (model.score, *model.skip_scores)] == [4096, 512, 256]
    with torch.no_grad(), torch.device("meta"):
        seen = {}
        for index, score in enumerate(model.skip_scores):
            score.register_forward_hook(lambda m, i, o, index=index: seen.update({index: i[0].shape[2:]}))
        model(torch.empty(1, 3, 256, 256))
    assert [tuple(seen[index]) for index in (0, 1)] == [(16, 16), (32, 32)]


def test_up_sampling_is_bilinear_and_adds_the_skips_on_the_way():
    model, image = tiny(), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        *_, eighth, sixteenth, coarsest = model.encoder(image)
        scores = [model.score(model.fc(coarsest)), model.skip_scores[0](sixteenth), model.skip_scores[1](eighth)]
        summed = F.interpolate(scores[0], scale_factor=2, mode="bilinear") + scores[1]
        summed = F.interpolate(summed, scale_factor=2, mode="bilinear") + scores[2]
        expected = F.interpolate(summed, scale_factor=8, mode="bilinear")
        torch.testing.assert_close(model(image).mask_logits, expected)


@pytest.mark.parametrize("options", [{"fc_channels": 0}, {"dropout": 1.0}])
def test_nonsense_is_refused(options: dict[str, float]):
    with pytest.raises(ValueError, match="must be"):
        Config(**options)
