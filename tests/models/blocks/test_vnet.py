"""The V-Net's stages: what is added to what, and memory given back for time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bustle.models.blocks.checkpointing import checkpointed
from bustle.models.blocks.vnet import CONVOLUTIONS, Stage, VNet, VNetConfig


def test_a_stage_adds_its_input_before_the_last_relu():
    torch.manual_seed(0)
    stage = Stage(4, 4, count=2).eval()
    maps = torch.randn(2, 4, 5, 6, 7)
    first, second = (layer[0] for layer in stage.layers)
    scale = 1 / (1 + 1e-5) ** 0.5  # batch norm with its initial statistics
    inner = F.relu(scale * F.conv3d(maps, first.weight, first.bias, padding=1))
    expected = F.relu(scale * F.conv3d(inner, second.weight, second.bias, padding=1) + maps)
    torch.testing.assert_close(stage(maps), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_image_is_added_to_every_channel_of_the_first_stage(channels: int):
    stage = Stage(channels, 8, count=1).eval()
    nn.init.zeros_(stage.layers[0][0].weight)
    nn.init.zeros_(stage.layers[0][0].bias)
    image = torch.rand(1, channels, 4, 4, 4)
    torch.testing.assert_close(stage(image), image.mean(dim=1, keepdim=True).expand(1, 8, 4, 4, 4))


def test_every_stage_has_its_convolutions():
    network = VNet(1, mask_channels=2, config=VNetConfig(width=1))
    kernels = [module.kernel_size for module in network.modules() if isinstance(module, nn.Conv3d)]
    assert kernels.count((3, 3, 3)) == sum(CONVOLUTIONS) == 21
    assert kernels.count((2, 2, 2)) == 4
    assert sum(isinstance(module, nn.ConvTranspose3d) for module in network.modules()) == 4
    assert kernels.count((1, 1, 1)) == 1


def test_the_maps_keep_the_order_of_the_axes():
    """A structure at one end of the first axis changes the mask there, not at the end of another axis."""
    torch.manual_seed(0)
    network = VNet(1, mask_channels=2, config=VNetConfig(width=2)).eval()
    volume = torch.randn(1, 1, 64, 32, 48)
    changed = volume.clone()
    changed[:, :, 60:] += 1
    with torch.no_grad():
        difference = (network(changed)[1] - network(volume)[1]).abs().sum(dim=(0, 1))
    assert difference.shape == (64, 32, 48)
    assert difference[56:].mean() > 20 * difference[:8].mean()


def run(network: VNet, volume: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    network.zero_grad()
    stages, logits = network(volume)
    (logits.square().mean() + stages[4].mean()).backward()
    return logits, {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def test_checkpointing_changes_nothing_but_memory():
    volume = torch.randn(2, 1, 32, 32, 33)
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = VNet(1, mask_channels=2, config=VNetConfig(width=2, checkpointing=checkpointing))
        logits, gradients = run(network, volume)
        statistics = {name: b.clone() for name, b in network.named_buffers() if b.is_floating_point()}
        results.append((logits, gradients, statistics))
    (plain, plain_gradients, plain_statistics), (again, gradients, statistics) = results
    assert torch.equal(plain, again)
    for name, gradient in plain_gradients.items():
        torch.testing.assert_close(gradients[name], gradient)
    assert all(torch.equal(plain_statistics[name], buffer) for name, buffer in statistics.items())


def kept_bytes(*, checkpointing: bool) -> int:
    """What a batch of two of the paper's volumes leaves for the backward pass, without memory."""
    with torch.device("meta"):
        network = VNet(1, mask_channels=2, config=VNetConfig(checkpointing=checkpointing)).float()
        volume = torch.empty(2, 1, 128, 64, 128, dtype=torch.float32)
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(volume)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def test_a_batch_of_two_leaves_room_on_a_gpu_of_12_gb():
    plain, less = kept_bytes(checkpointing=False), kept_bytes(checkpointing=True)
    assert plain < 2.5e9
    assert less < plain / 4


def test_statistics_of_batch_norm_are_counted_once():
    norm = nn.BatchNorm3d(2)
    maps = torch.randn(2, 2, 3, 3, 3, requires_grad=True)
    checkpointed(norm, maps).sum().backward()
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, 0.1 * maps.detach().mean(dim=(0, 2, 3, 4)))
    assert norm.momentum == 0.1


def test_a_width_below_one_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1"):
        VNetConfig(width=0)
