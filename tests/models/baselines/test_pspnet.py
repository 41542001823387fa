"""What is particular to PSPNet: the published count, the pooled pyramid, and the auxiliary map's own loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from bustle.core.published import published_for
from bustle.core.recipe import load_recipe
from bustle.losses.build import build_loss
from bustle.models import zoo
from bustle.models.baselines.pspnet import SPEC, Config, PyramidPooling
from bustle.models.description import describe
from bustle.training.loss_setting import loss_setting


def test_it_has_the_published_parameter_count_with_its_auxiliary_head():
    rows = published_for({"paper": "rmtl_net", "method": "PSPNet"})
    assert describe(load_recipe("pspnet")).params == 70_295_620  # P3
    assert [row.mean for row in rows if row.task == "cost"] == [70_295_620]
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
    counts = {n: sum(p.numel() for p in part.parameters()) for n, part in model.named_children()}
    assert counts == {"encoder": 42_500_160, "pyramid": 4_198_400, "mask_head": 18_876_418, "aux_head": 4_720_642}


def test_the_stride_is_8():
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
        assert model.encoder(torch.empty(1, 3, 256, 256))[-1].shape == (1, 2048, 32, 32)


def test_each_bin_holds_the_mean_of_its_cells():
    pyramid = PyramidPooling(4, (1, 2, 3, 6)).eval()
    for branch in pyramid.branches:  # the mean over channels, unchanged by norm and ReLU
        nn.init.constant_(branch[0].weight, 0.25)
        branch[1].eps = 0.0
    features = torch.rand(1, 4, 12, 12)
    with torch.no_grad():
        pooled = pyramid(features)
    assert pooled.shape == (1, pyramid.out_channels, 12, 12) == (1, 8, 12, 12)
    assert torch.equal(pooled[:, :4], features)
    plane = features.numpy()[0].mean(axis=0)
    np.testing.assert_allclose(pooled[0, 4].numpy(), np.full((12, 12), plane.mean()))
    corners = pooled[0, 5].numpy()[[0, 0, -1, -1], [0, -1, 0, -1]]  # bilinear resizing keeps the outermost cells
    cells = plane.reshape(2, 6, 2, 6).mean(axis=(1, 3))
    np.testing.assert_allclose(corners, cells.ravel())


def test_the_recipe_gives_the_auxiliary_map_a_loss_of_its_own():
    recipe = load_recipe("pspnet")
    loss = build_loss(recipe, setting=loss_setting(zoo.resolve(recipe)))
    assert loss.weights == {"region_cross_entropy": 1.0, "aux_cross_entropy": 0.4}
    torch.manual_seed(0)
    output = SPEC.build(SPEC.tiny, in_channels=3, class_count=2).eval()(torch.randn(1, 3, 50, 61))
    assert output.aux_masks["aux"].shape == (1, 2, 50, 61)


@pytest.mark.parametrize("options", [{"bins": ()}, {"bins": (0,)}, {"width": 0}, {"dropout": -0.1}])
def test_nonsense_is_refused(options: dict[str, object]):
    with pytest.raises(ValueError, match="must"):
        Config(**options)  # type: ignore[arg-type]
