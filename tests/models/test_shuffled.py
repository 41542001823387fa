from __future__ import annotations

import torch

from bustle.models import zoo
from bustle.models.refinement import Refined
from bustle.models.shuffled import shuffled


def test_a_shuffled_network_has_the_same_numbers_in_other_places_and_answers_otherwise():
    torch.manual_seed(0)
    spec = zoo.get("sc_net")
    network = Refined(spec.build(spec.tiny, in_channels=1, class_count=3).eval(), meaning=None, refinements=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other = shuffled(network, seed=0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values), name
        if tensor.is_floating_point() and tensor.unique().numel() > 10:
            assert not torch.equal(tensor, before[name]), name
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(network(image).class_logits, other(image).class_logits, atol=1e-3)
        assert torch.equal(other(image).class_logits, shuffled(network, seed=0)(image).class_logits)
