"""What the class logits are made of, read while a network runs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bustle.core.views import Views
from bustle.models import zoo
from bustle.models.class_features import class_layers, mean_class_features, reading_class_features
from bustle.models.refinement import Refined


@pytest.fixture(scope="module")
def network() -> Refined:
    torch.manual_seed(0)
    spec = zoo.get("lesion_pooled_unet")
    built = spec.build(spec.tiny, in_channels=1, class_count=3).double().eval()
    return Refined(built, meaning=spec.mask_meaning(spec.tiny), refinements=0)


def test_the_linear_layers_make_the_logits_of_them(network: Refined):
    image = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    of_image, of_lesion = class_layers(network, class_count=3)
    with torch.no_grad(), reading_class_features(network, class_count=3) as found:
        logits = [network(image).class_logits, network(image.flip(0)).class_logits]
    for features, own in zip(found, logits, strict=True):
        pooled, lesion = features.split(16, dim=1)
        assert own is not None
        assert torch.allclose(of_image(pooled) + of_lesion(lesion), own)
    with torch.no_grad():
        network(image)
    assert len(found) == 2, "nothing is read any more"


def test_the_mean_over_views(network: Refined):
    image = torch.randn(3, 1, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        once, mirrored = (
            mean_class_features(network, one, Views(), class_count=3) for one in (image, image.flip(-1))
        )
        both = mean_class_features(network, image, Views(mirrored=True), class_count=3)
    assert torch.allclose(both, (once + mirrored) / 2)


def test_a_head_that_averages_cells_by_itself_is_read_after_that_and_no_other_layer_is():
    torch.manual_seed(0)
    spec = zoo.get("la_net")  # whose attention has a layer with as many outputs as there are classes
    built = spec.build(spec.tiny, in_channels=1, class_count=2).double().eval()
    network = Refined(built, meaning=spec.mask_meaning(spec.tiny), refinements=0)
    head = built.get_submodule("class_head")
    with torch.no_grad(), reading_class_features(network, class_count=2) as found:
        logits = network(torch.randn(2, 1, 64, 64, dtype=torch.float64)).class_logits
    assert found[0].shape == (2, head.in_features)
    assert torch.allclose(F.linear(found[0], head.weight, head.bias), logits)


def test_a_network_without_such_a_layer():
    spec = zoo.get("unext")
    network = Refined(
        spec.build(spec.tiny, in_channels=1, class_count=3), meaning=spec.mask_meaning(spec.tiny), refinements=0
    )
    with pytest.raises(ValueError, match="by no linear layer"), reading_class_features(network, class_count=3):
        pass


@pytest.mark.full
def test_every_network_that_classifies_gives_its_features_but_one():
    without = set()
    for name in zoo.ids():
        spec = zoo.get(name)
        if spec.task == "seg":
            continue
        built = spec.build(spec.tiny, in_channels=1, class_count=3).eval()
        network = Refined(built, meaning=spec.mask_meaning(spec.tiny), refinements=0)
        if not class_layers(network, class_count=3):
            without.add(name)
            continue
        image = torch.randn(2, 1, *((64, 64) if spec.dims == 2 else (32, 32, 32)))
        with torch.no_grad(), reading_class_features(network, class_count=3) as found:
            network(image)
        width = sum(layer.in_features for layer in class_layers(network, class_count=3))
        assert found[0].shape == (2, width), name
    assert without == {"ctg_net"}, "as docs/how-to/export.md says"
