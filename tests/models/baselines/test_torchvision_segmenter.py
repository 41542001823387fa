"""What is particular: the networks are torchvision's own, parameter by parameter and number by number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models.segmentation import deeplabv3_resnet50, fcn_resnet50, fcn_resnet101

from bustle.core.recipe import load_recipe
from bustle.models import zoo
from bustle.models.baselines.torchvision_segmenter import SPEC, Config
from bustle.models.description import describe


@pytest.mark.parametrize(
    ("head", "backbone", "theirs"),
    [
        ("fcn", "resnet50", fcn_resnet50),
        ("fcn", "resnet101", fcn_resnet101),
        ("deeplab_v3", "resnet50", deeplabv3_resnet50),
    ],
)
def test_the_parameters_are_torchvisions(head, backbone, theirs):
    with torch.device("meta"):
        network = theirs(weights=None, weights_backbone=None, num_classes=1)
        own = SPEC.build(Config(head=head, backbone=backbone), in_channels=3, class_count=2)
    renamed = {
        name.replace("encoder.body", "backbone").replace("mask_head", "classifier"): p.shape
        for name, p in own.state_dict().items()
    }
    assert renamed == {name: p.shape for name, p in network.state_dict().items()}


def test_the_numbers_are_torchvisions():
    torch.manual_seed(0)
    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=1).eval()
    own = SPEC.build(Config(), in_channels=3, class_count=2).eval()
    own.load_state_dict(
        {
            name.replace("backbone", "encoder.body").replace("classifier", "mask_head"): tensor
            for name, tensor in network.state_dict().items()
        }
    )
    image = torch.randn(1, 3, 50, 64)
    with torch.no_grad():
        torch.testing.assert_close(own(image).mask_logits, network(image)["out"])


def test_the_recipes_are_the_papers():
    assert describe(load_recipe("fcn_resnet50")).params == 32_946_753
    assert describe(load_recipe("deeplab_v3")).params == 39_633_729
    assert load_recipe("torchvision_segmenter").published_as == {"paper": "acsnet", "method": "FCN"}


def test_a_local_file_starts_the_encoder(tmp_path: Path):
    torch.manual_seed(1)
    published = SPEC.build(SPEC.tiny, in_channels=3, class_count=2)
    save_file(published.encoder.body.state_dict(), tmp_path / "encoder.safetensors")
    network = zoo.build(
        "torchvision_segmenter",
        {"backbone": "test_resnet"},
        in_channels=3,
        class_count=2,
        encoder_weights=str(tmp_path / "encoder.safetensors"),
    )
    assert torch.equal(network.encoder.body.conv1[0].weight, published.encoder.body.conv1[0].weight)
