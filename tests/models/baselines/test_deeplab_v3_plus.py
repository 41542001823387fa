"""What is particular to DeepLabv3+: the published count and its parts, stride 16, and the map of stride 4."""

from __future__ import annotations

import pytest
import torch

from bustle.core.errors import InputError
from bustle.core.published import published_for
from bustle.core.recipe import load_recipe
from bustle.models.baselines.deeplab_v3_plus import SPEC, Config
from bustle.models.description import describe


def count(*parts: torch.nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


def test_it_has_the_published_parameter_count():
    rows = published_for({"paper": "rmtl_net", "method": "DeepLabv3+", "task": "cost"})
    assert describe(load_recipe("deeplab_v3_plus")).params == 59_339_426  # P3
    assert [row.mean for row in rows] == [59_339_426]
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
    assert count(model.encoder) == 42_500_160
    assert count(model.coarse) == 15_535_104
    assert count(model.fine, model.merge, model.mask_head) == 1_304_162


def test_the_pyramid_sees_stride_16_and_the_decoder_stride_4():
    with torch.device("meta"):
        model = SPEC.build(Config(), in_channels=3, class_count=2)
        maps = model.encoder(torch.empty(1, 3, 256, 256))
        assert maps[-1].shape == (1, 2048, 16, 16)
        assert maps[model.fine_index].shape == (1, 256, 64, 64)
        assert model.merge(torch.empty(1, 304, 64, 64)).shape == (1, 256, 64, 64)


def test_acsnet_compares_it_on_resnet18():
    assert describe(load_recipe("deeplab_v3_plus/acsnet")).params == pytest.approx(16.6e6, rel=0.01)


def test_a_backbone_that_cannot_dilate_is_refused():
    with pytest.raises(InputError, match=r"'levit_128' with options .* cannot be an encoder"), torch.device("meta"):
        SPEC.build(Config(backbone="levit_128"), in_channels=3, class_count=2)


@pytest.mark.parametrize("options", [{"rates": ()}, {"rates": (0,)}, {"width": 0}, {"dropout": 1.0}])
def test_nonsense_is_refused(options: dict[str, object]):
    with pytest.raises(ValueError, match="must"):
        Config(**options)  # type: ignore[arg-type]
