"""Peak memory of a training step of C_MSVNet at its full patch size and batch of two, with and without checkpointing.

Two fresh processes on CPU in fp32: two steps with Adam, the second of which has its moments. The peak is that of the
whole process with the interpreter and torch, about 0.5 GB; `bytes` of the JSON holds both. A GPU needs about as much
for the same tensors, and the work space of its convolutions beside it; bfloat16 halves the activations.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any

PEER = "the same step without checkpointing"


def run() -> list[dict[str, Any]]:
    plain, saving = peak_bytes(checkpointing=False), peak_bytes(checkpointing=True)
    ratio = plain / saving
    return [
        {"goal": "memory of a volume training step", "peer": PEER, "roofline_fraction": None}
        | {"ratio": {"min": ratio, "median": ratio, "max": ratio}}
        | {"bytes": {"plain": plain, "checkpointing": saving}}
    ]


def peak_bytes(*, checkpointing: bool) -> int:
    command = [sys.executable, __file__, str(int(checkpointing))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout))


def measure(checkpointing: bool) -> int:
    import torch

    from bustle.core.recipe import load_recipe
    from bustle.models import zoo

    recipe = load_recipe("cms_vnet_iter", overrides=[f"model.config.checkpointing={str(checkpointing).lower()}"])
    data = recipe.data
    network = zoo.build(
        recipe.model.id, recipe.model.config, in_channels=data.channels, class_count=len(data.classes)
    ).train()
    optimizer = torch.optim.Adam(network.parameters())
    volumes = torch.randn(recipe.training.batch_size, data.channels, *data.size)
    for _ in range(2):
        optimizer.zero_grad()
        output = network(volumes)
        (output.mask_logits.softmax(dim=1)[:, 1].mean() + output.class_logits.mean()).backward()
        optimizer.step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(measure(bool(int(sys.argv[1]))))
